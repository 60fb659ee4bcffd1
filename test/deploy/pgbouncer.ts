import { readFileSync } from 'node:fs'
import t from 'tap'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { openMailbox } from '../helpers/mailbox.ts'
import { send, startProcess, type Reply } from '../helpers/processes.ts'
import { until } from '../helpers/until.ts'
import { pooler } from './support/pgbouncer.ts'
import { becomeUser, liveASession, resetPassword } from './support/smoke.ts'

const shipped = readFileSync('deploy/pgbouncer/pgbouncer.ini', 'utf8')

t.test('through PgBouncer in transaction mode nodes migrate an empty database at once, and every flow works', async t => {
  const database = await freshDatabase(t, { empty: true })
  const mailbox = await openMailbox(t)
  const { url, start } = await pooler(t, database, shipped)
  let pgbouncer = await start()
  const env = { REQUIRE_VERIFIED_EMAIL: 'true', MAIL_URL: mailbox.url, ARGON2_MEMORY_KIB: '7168', ARGON2_PASSES: '5' }
  const nodes = await Promise.all([1, 2].map(async () => await startProcess(t, url, { env })))
    .catch((error: Error) => { throw new Error(`${error.message}\n${pgbouncer.output()}`) })
  const urls = nodes.map(({ url }) => url)

  const sql = await sqlTo(t, database)
  t.strictSame(await sql("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'"), [], 'no lock stays with a connection that goes round')
  const pooled = await sqlTo(t, url)
  t.strictSame(await pooled("SELECT current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock"), [{ statement: '1800ms', lock: '0' }],
    'the bound of requests is in force, and no setting of the migrations stays')

  const ada = await becomeUser(t, urls, mailbox)
  await liveASession(t, urls, ada)
  await resetPassword(t, urls, mailbox, ada)

  // Counters, jobs and the feed at once on four connections: whatever leaned on the connection would meet another one now.
  const password = `another ${ada.password}`
  const many: Reply[] = []
  for (let round = 0; round < 6; round++) {
    many.push(...await Promise.all(Array.from({ length: 4 }, async (_, at) => await send(urls[at % 2]!, 'POST', '/v1/auth/login', { body: { email: ada.email, password, refresh: 'body' } }))))
  }
  t.strictSame(many.map(({ status, json }) => `${status} ${json.code ?? ''}`).filter(answer => answer !== '200 '), [])
  t.equal(Number((await sql<{ points: number }>('SELECT sum(points) AS points FROM rate_limit'))[0]!.points) >= 24, true, 'they were counted in PostgreSQL')

  pgbouncer.child.kill('SIGKILL')
  t.equal((await send(urls[0]!, 'GET', '/v1/auth/verify', { bearer: many[0]!.json.access_token })).status, 200, 'verification needs nobody')
  const refused = await send(urls[0]!, 'POST', '/v1/auth/refresh', { body: { refresh_token: many[0]!.json.refresh_token } })
  t.match([refused.status, refused.json.code], [503, 'database_unavailable'])
  pgbouncer = await start()
  await until(async () => (await send(urls[0]!, 'POST', '/v1/auth/refresh', { body: { refresh_token: many[0]!.json.refresh_token } })).status === 200, 5_000)

  const late = await startProcess(t, url, { env })
  t.equal((await send(late.url, 'GET', '/readyz/full', {})).status, 200, 'a node that starts later finds nothing locked')
  t.strictSame([...nodes, late].flatMap(({ lines }) => lines).filter(line => /"level":("error"|50)|prepared statement/.test(line)), [], 'nothing was logged as a fault')
})

t.test('without the line that lets our bounds pass, a node does not start, and says what PgBouncer refuses', async t => {
  const database = await freshDatabase(t)
  const { url, start } = await pooler(t, database, shipped.replace(/^ignore_startup_parameters.*/m, ''))
  await start()
  await t.rejects(startProcess(t, url), { message: /unsupported startup parameter: statement_timeout/ })
})
