import t from 'tap'
import { keepHouse } from '../../src/jobs/housekeeping.ts'
import { purgeExpiredEndings } from '../../src/jobs/purge.ts'
import { uuidv7 } from '../../src/lib/ids.ts'
import { freshDatabase, sqlTo, type Sql } from '../helpers/database.ts'
import { superviseNow } from '../helpers/mail-queue.ts'
import { world } from '../helpers/world.ts'

const DAY = 86_400
/** The year goes by in steps of three days: three times as fast, and every bound is a matter of weeks. */
const STEP = 3
const steps = (days: number): number => Math.ceil(days / STEP) + 1
/** What happens on each of those days. */
const A_DAY = { sessions: 40, endings: 8, otherEvents: 60, answers: 25, windows: 120, forgottenSignUps: 3, mails: 12, deadMails: 2 }
const USERS = 40
const KEPT = { audit: 100, session: 90, unverified: 30 }

/** From here on `now()` is what the test says, in every statement that does not name pg_catalog. */
async function simulateTime (sql: Sql): Promise<(day: number) => Promise<void>> {
  await sql('CREATE SCHEMA simulated')
  await sql('CREATE TABLE simulated.time AS SELECT 0 AS days')
  await sql('CREATE FUNCTION simulated.now() RETURNS timestamptz STABLE LANGUAGE sql AS \'SELECT pg_catalog.now() + days * interval \'\'1 day\'\' FROM simulated.time\'')
  await sql('DO $$ BEGIN EXECUTE format(\'ALTER DATABASE %I SET search_path = simulated, pg_catalog, public\', current_database()); END $$')
  return async day => { await sql('UPDATE simulated.time SET days = $1', [day]) }
}

t.test('after every step of a year, each table is within the bound that docs/state.md names', async t => {
  const databaseUrl = await freshDatabase(t)
  const setDay = await simulateTime(await sqlTo(t, databaseUrl))
  const { ctx, clock, sql } = await world(t, {
    DATABASE_URL: databaseUrl, REQUIRE_VERIFIED_EMAIL: 'true',
    AUDIT_RETENTION_SECONDS: String(KEPT.audit * DAY), SESSION_MAX_SECONDS: String(KEPT.session * DAY), UNVERIFIED_ACCOUNT_SECONDS: String(KEPT.unverified * DAY),
  })
  const ids = (count: number) => Array.from({ length: count }, () => uuidv7(clock.now()))
  const users = ids(USERS)
  await sql('INSERT INTO users (id, email, email_verified_at) SELECT u, u || \'@example.com\', now() FROM unnest($1::uuid[]) u', [users])
  const user = 'u.ids[1 + n % 40]'
  const count = async (table: string, where = 'true') => (await sql<{ n: number }>(`SELECT count(*)::int AS n FROM ${table} WHERE ${where}`))[0]!.n
  const highest = new Map<string, number>()
  const within = async (day: number, table: string, bound: number, where?: string) => {
    const rows = await count(table, where)
    highest.set(table, Math.max(rows, highest.get(table) ?? 0))
    if (rows > bound) t.fail(`${table} has ${rows} rows on day ${day}; its bound is ${bound}`)
  }
  for (let day = 0; day < 365; day += STEP) {
    await setDay(day)
    if (day > 0) clock.advance(STEP * DAY)
    const sids = ids(A_DAY.sessions)
    await sql('INSERT INTO refresh_spent (sid, gen, spent_at) SELECT unnest($1::uuid[]), 3, now()', [sids])
    await sql(`INSERT INTO audit_event (id, type, outcome, actor, user_id, sid)
      SELECT e, CASE WHEN n <= $2 THEN 'session.started' ELSE 'session.refused' END, 'success', 'anonymous', ${user}, e FROM unnest($1::uuid[]) WITH ORDINALITY e (e, n), (SELECT $3::uuid[] AS ids) u`,
    [ids(A_DAY.sessions + A_DAY.otherEvents), A_DAY.sessions, users])
    await sql('INSERT INTO revocation (kind, id, expires_at) SELECT \'s\', substring(uuid_send(s) for 12), now() + interval \'720 seconds\' FROM unnest($1::uuid[]) s', [ids(A_DAY.endings)])
    await sql('INSERT INTO idempotency (scope, key, fp, status, expires_at) SELECT uuid_send(k), \'\\x01\', \'\\x01\', 201, now() + interval \'24 hours\' FROM unnest($1::uuid[]) k', [ids(A_DAY.answers)])
    await sql('INSERT INTO rate_limit (key, points, expire) SELECT k, 1, extract(epoch FROM now()) * 1000 + 3600000 FROM unnest($1::text[]) k', [ids(A_DAY.windows)])
    await sql('WITH c AS (INSERT INTO credential (user_id, password_hash) SELECT unnest($1::uuid[]), \'x\') INSERT INTO users (id, email, created_at) SELECT s, s || \'@example.com\', now() FROM unnest($1::uuid[]) s', [ids(A_DAY.forgottenSignUps)])

    await purgeExpiredEndings(ctx.db)
    await keepHouse(ctx)
    await within(day, 'refresh_spent', steps(KEPT.session + 1) * A_DAY.sessions)
    await within(day, 'revocation', A_DAY.endings)
    await within(day, 'audit_event', steps(KEPT.audit) * (A_DAY.sessions + A_DAY.otherEvents + A_DAY.forgottenSignUps))
    await within(day, 'idempotency', A_DAY.answers)
    await within(day, 'rate_limit', A_DAY.windows)
    await within(day, 'users', USERS + steps(KEPT.unverified) * A_DAY.forgottenSignUps)
    await within(day, 'credential', steps(KEPT.unverified) * A_DAY.forgottenSignUps)
  }
  const full = { refresh_spent: KEPT.session / STEP * A_DAY.sessions, audit_event: Math.floor(KEPT.audit / STEP) * 100, users: USERS + KEPT.unverified / STEP * A_DAY.forgottenSignUps }
  for (const [table, rows] of Object.entries(full)) t.ok(highest.get(table)! >= rows, `${table} was filled to its bound: ${highest.get(table)} rows`)
  t.equal(await count('users', 'email_verified_at IS NOT NULL'), USERS, 'nobody else was deleted')
})

t.test('the tables of the jobs hold what their queues keep, and no more', async t => {
  const databaseUrl = await freshDatabase(t)
  const { ctx, sql } = await world(t, { DATABASE_URL: databaseUrl })
  for (let day = 0; day < 360; day += 15) {
    for (let n = 0; n < A_DAY.mails; n++) await ctx.jobs.send(ctx.db, 'email', {})
    for (let n = 0; n < A_DAY.deadMails; n++) await ctx.jobs.send(ctx.db, 'email-dead', {})
    // Of those twelve one was never fetched by anybody.
    await sql('UPDATE pgboss.job SET state = \'completed\', completed_on = now() WHERE id IN (SELECT id FROM pgboss.job WHERE name = \'email\' AND state = \'created\' ORDER BY created_on DESC LIMIT $1)', [A_DAY.mails - 1])
    await sql('UPDATE pgboss.job SET created_on = created_on - interval \'15 days\', start_after = start_after - interval \'15 days\', keep_until = keep_until - interval \'15 days\', completed_on = completed_on - interval \'15 days\'')
    await sql('UPDATE pgboss.queue SET maintain_on = NULL')
    await superviseNow(sql, databaseUrl)
    const [rows] = await sql<{ mails: number, dead: number }>('SELECT count(*) FILTER (WHERE name = \'email\')::int AS mails, count(*) FILTER (WHERE name = \'email-dead\')::int AS dead FROM pgboss.job')
    if (rows!.mails + rows!.dead > 0) t.fail(`${rows!.mails} mails, ${rows!.dead} dead ones on day ${day}`)
  }
  t.pass('within their bounds')
})
