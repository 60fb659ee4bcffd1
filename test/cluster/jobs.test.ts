import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { enqueueMail } from '../../src/core/mail/enqueue.ts'
import { databaseLink } from '../helpers/database-link.ts'
import { freshDatabase, sqlTo, type Sql } from '../helpers/database.ts'
import { openMailbox, type Mailbox } from '../helpers/mailbox.ts'
import { quietUser, retryNow } from '../helpers/mail-queue.ts'
import { SHARED_KEK, startProcess } from '../helpers/processes.ts'
import { until } from '../helpers/until.ts'
import { world } from '../helpers/world.ts'

const preload = new URL('../helpers/hasty.ts', import.meta.url).href
const node = async (t: Test, databaseUrl: string, { url }: Mailbox) => await startProcess(t, databaseUrl, { preload, env: { MAIL_URL: url } })

/** Of answers kept for repetition one that is over: housekeeping takes it away. */
const leaveRubbish = async (sql: Sql) => { await sql("INSERT INTO idempotency (scope, key, fp, status, expires_at) VALUES ('\\x01', '\\x01', '\\x01', 200, now() - interval '1 day')") }
const rubbish = async (sql: Sql) => (await sql('SELECT 1 FROM idempotency')).length
const kept = async (sql: Sql) => await sql<{ state: string, minute: string }>("SELECT state, date_trunc('minute', created_on)::text AS minute FROM pgboss.job WHERE name = 'housekeeping'")

t.test('housekeeping is done when the clock says so and not before, by one node of two', async t => {
  const databaseUrl = await freshDatabase(t)
  const sql = await sqlTo(t, databaseUrl)
  const mailbox = await openMailbox(t)
  await sql("UPDATE pgboss.schedule SET cron = extract(minute FROM now() + interval '30 minutes') || ' * * * *'")
  await leaveRubbish(sql)
  await Promise.all([node(t, databaseUrl, mailbox), node(t, databaseUrl, mailbox)])
  /** A node looks at the clock, as one of them does every 45 seconds. */
  const aNodeLooks = async () => {
    await sql("UPDATE pgboss.version SET cron_on = now() - interval '50 seconds'")
    await until(async () => (await sql("SELECT 1 FROM pgboss.version WHERE cron_on > now() - interval '45 seconds'")).length === 1, 30_000)
  }
  for (let times = 0; times < 3; times++) await aNodeLooks()
  await sleep(2_000) // whoever makes the job of a time that has come looks at most so often
  t.strictSame(await kept(sql), [], 'half an hour too early')

  await sql("UPDATE pgboss.schedule SET cron = '* * * * *'")
  for (let times = 0; times < 4; times++) await aNodeLooks()
  await until(async () => await rubbish(sql) === 0, 30_000)
  await sleep(2_000)
  const jobs = await kept(sql)
  t.equal(jobs.length, new Set(jobs.map(({ minute }) => minute)).size, `${jobs.length} of ${jobs.length} minutes`)
  t.ok(jobs.length <= 3)
})

/** `OUTAGE_SECONDS=40` for the long form. */
const OUTAGE_MS = Number(process.env['OUTAGE_SECONDS'] ?? 4) * 1_000

t.test('the database is away for long: no mail of before or meanwhile is lost or sent twice, the node lives on quietly, and keeps house again', async t => {
  const w = await world(t, { KEY_ENCRYPTION_KEY: SHARED_KEK })
  const link = await databaseLink(t, w.databaseUrl)
  let open = false
  const mailbox = await openMailbox(t, { onMailFrom: (_, __, done) => { done(open ? null : Object.assign(new Error('come again later'), { responseCode: 451 })) } })
  const worker = await node(t, link.url, mailbox)
  const users = await Promise.all(Array.from({ length: 12 }, async () => await quietUser(w.sql)))
  const enqueue = async (some: typeof users) => { for (const { email } of some) await enqueueMail(w.ctx, { kind: 'reset_password', email }) }
  await enqueue(users.slice(0, 6))
  await until(async () => (await w.sql("SELECT 1 FROM pgboss.job WHERE name = 'email' AND retry_count > 0")).length > 0, 20_000)
  const memory = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${worker.child.pid}/status`, 'utf8'))![1]) / 1024

  await link.cut()
  const [said, held] = [worker.lines.length, memory()]
  await enqueue(users.slice(6))
  await w.ctx.jobs.send(w.ctx.db, 'housekeeping', {})
  await leaveRubbish(w.sql)
  await sleep(OUTAGE_MS)
  // What is done once a minute is done every two seconds here, and may complain as often.
  const noise = worker.lines.slice(said).filter(line => !line.includes('"database connection lost"'))
  t.ok(noise.length <= 6 + OUTAGE_MS / 1_000, `${noise.length} lines`)
  t.ok(memory() < held + 40, `${Math.round(held)} MB, then ${Math.round(memory())}`)

  open = true
  await link.mend()
  for (const { email } of users) {
    await until(async () => { await retryNow(w.sql); return mailbox.all(email).length > 0 }, 30_000)
  }
  await until(async () => await rubbish(w.sql) === 0, 30_000)
  await until(async () => (await w.sql("SELECT 1 FROM pgboss.job WHERE name = 'email' AND state <> 'completed'")).length === 0, 30_000)
  // A mail that was handed over at the moment of the cut has one Message-ID, however often it comes.
  t.strictSame(users.map(({ email }) => new Set(mailbox.all(email).map(({ messageId }) => messageId)).size), users.map(() => 1))
  t.equal(worker.child.exitCode, null)
  t.equal(await worker.stop(), 0)
})
