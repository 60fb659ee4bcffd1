import { randomUUID } from 'node:crypto'
import t from 'tap'
import { inTransaction, type Db } from '../../src/db/client.ts'
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
