import { randomUUID } from 'node:crypto'
import t from 'tap'
import { inTransaction, queryDirectly, type Db } from '../../src/db/client.ts'
import { Prisma } from '../../src/db/generated/client.ts'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { open } from '../helpers/open.ts'

const insert = async ({ db }: { db: Db }) => {
  const id = randomUUID()
  await db.$executeRaw`INSERT INTO users (id, email) VALUES (${id}::uuid, ${`${id}@mail.test`}::text)`
}

t.test('in a transaction all happens or nothing, and nobody sees the half of it; one within another is the same one', async t => {
  const url = await freshDatabase(t)
  const [db, sql] = [open(t, url), await sqlTo(t, url)]
  const users = async () => (await sql('SELECT FROM users')).length
  await t.rejects(inTransaction({ db }, async ctx => {
    await insert(ctx)
    await inTransaction(ctx, insert)
    t.equal(await users(), 0, 'not to be seen from outside')
    throw new Error('the end')
  }), { message: 'the end' })
  t.equal(await users(), 0)
  await inTransaction({ db }, async ctx => { await insert(ctx); await inTransaction(ctx, insert) })
  t.equal(await users(), 2)
})

t.test('a statement without Prisma is within the transaction that it is given, and answers the same', async t => {
  const db = open(t, await freshDatabase(t))
  const users = async (db: Db) => await queryDirectly<{ users: number, roles: string[], claims: object, at: number }>(db, Prisma.sql`
    SELECT count(*)::int AS users, ${'a,"b'}::text || '' AS text, '{a,b}'::text[] AS roles, '{"a":[1]}'::jsonb AS claims, 1.5::float8 AS at FROM users`)
  const rows = (count: number) => [{ users: count, text: 'a,"b', roles: ['a', 'b'], claims: { a: [1] }, at: 1.5 }]
  await t.rejects(inTransaction({ db }, async ctx => {
    await insert(ctx)
    t.strictSame(await users(ctx.db), rows(1), 'sees what it has written')
    t.strictSame(await users(db), rows(0), 'on a connection of its own')
    throw new Error('the end')
  }), { message: 'the end' })
  t.strictSame(await users(db), rows(0))
})
