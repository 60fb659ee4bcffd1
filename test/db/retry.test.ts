import t from 'tap'
import { retryUnavailable } from '../../src/db/client.ts'
import { databaseLink } from '../helpers/database-link.ts'
import { freshDatabase } from '../helpers/database.ts'
import { open } from '../helpers/open.ts'

t.test('a start waits for a database that is away for a moment, and not for a statement that is wrong', async t => {
  const link = await databaseLink(t, await freshDatabase(t))
  const db = open(t, link.url)
  await link.cut()
  setTimeout(async () => await link.mend(), 600)
  let tries = 0
  const ask = async (sql: string) => { tries++; return await db.$queryRawUnsafe(sql) }
  t.strictSame(await retryUnavailable(async () => await ask('SELECT 1 AS one')), [{ one: 1 }])
  t.ok(tries > 1, `${tries} tries`)

  tries = 0
  await t.rejects(retryUnavailable(async () => await ask('SELECT nothing')))
  t.equal(tries, 1)
  await link.cut()
  tries = 0
  await t.rejects(retryUnavailable(async () => await ask('SELECT 1')), 'one that stays away ends it')
  t.equal(tries, 4)
  await link.mend()
})
