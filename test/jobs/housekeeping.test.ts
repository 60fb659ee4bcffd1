import t from 'tap'
import { keepHouse } from '../../src/jobs/housekeeping.ts'
import { uuidv7 } from '../../src/lib/ids.ts'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { openMailbox } from '../helpers/mailbox.ts'
import { SHARED_KEK } from '../helpers/processes.ts'
import { until } from '../helpers/until.ts'
import { world } from '../helpers/world.ts'

const DAY = 86_400
const idOfAge = (days: number) => uuidv7(Date.now() - days * DAY * 1000)

t.test('families older than any session may be go, by their id, in batches; the living stay', async t => {
  const { ctx, sql } = await world(t)
  await sql('UPDATE installation SET max_session_seconds = $1', [90 * DAY])
  for (const days of [0, 1, 89, 90, 90.99, 91.01, 92, 400]) await sql('INSERT INTO refresh_spent (sid, gen, spent_at) VALUES ($1, 1, now())', [idOfAge(days)])
  await sql('INSERT INTO refresh_spent (sid, gen, spent_at) SELECT unnest($1::uuid[]), 1, now()', [Array.from({ length: 4_100 }, () => idOfAge(200))])
  await keepHouse(ctx)
  t.strictSame(await sql('SELECT count(*)::int AS left FROM refresh_spent'), [{ left: 5 }])
})

t.test('audit events go after their time; the sign-in of a session that may live stays until that is over', async t => {
  const { ctx, sql } = await world(t, { AUDIT_RETENTION_SECONDS: String(10 * DAY), SESSION_MAX_SECONDS: String(5 * DAY), REFRESH_TOKEN_TTL_SECONDS: String(5 * DAY) })
  await sql('UPDATE installation SET max_session_seconds = $1', [90 * DAY])
  for (const type of ['session.started', 'session.ended']) {
    for (const days of [1, 9, 11, 89, 91]) await sql('INSERT INTO audit_event (id, type, outcome, actor, data) VALUES ($1, $2, \'success\', \'system\', $3)', [idOfAge(days), type, { days }])
  }
  await sql('INSERT INTO audit_event (id, type, outcome, actor) SELECT unnest($1::uuid[]), \'session.ended\', \'success\', \'system\'', [Array.from({ length: 4_100 }, () => idOfAge(50))])
  await keepHouse(ctx)
  t.strictSame(await sql('SELECT type, array_agg((data->>\'days\')::int ORDER BY id DESC) AS days FROM audit_event GROUP BY type ORDER BY type'),
    [{ type: 'session.ended', days: [1, 9] }, { type: 'session.started', days: [1, 9, 11, 89] }])
})

t.test('answers that were kept for repetition, and windows of rate limits, go when they are over', async t => {
  const { ctx, sql } = await world(t)
  await sql('INSERT INTO idempotency (scope, key, fp, status, expires_at) SELECT decode(md5(n::text), \'hex\'), \'\\x01\', \'\\x01\', 200, now() + (n - 4501) * interval \'1 second\' FROM generate_series(1, 4600) n')
  await sql('INSERT INTO rate_limit (key, points, expire) SELECT n::text, 1, extract(epoch FROM now()) * 1000 + (n - 4501) * 120000 FROM generate_series(1, 4600) n')
  await keepHouse(ctx)
  t.strictSame(await sql('SELECT (SELECT count(*)::int FROM idempotency WHERE expires_at < now() - interval \'10 seconds\') AS answers, (SELECT count(*)::int FROM rate_limit) AS windows'), [{ answers: 0, windows: 100 }])
})

t.test('accounts that nobody confirmed are deleted after their time, with a record of it; the confirmed, the young, those that came lately and those that were ever signed in to stay', async t => {
  const { ctx, sql } = await world(t, { REQUIRE_VERIFIED_EMAIL: 'true', UNVERIFIED_ACCOUNT_SECONDS: String(30 * DAY) })
  const account = async (email: string, days: number, { verified = false, signedIn = false, touched = days } = {}) => {
    const id = idOfAge(days)
    await sql(`WITH c AS (INSERT INTO credential (user_id, password_hash) VALUES ($1, 'x'))
      INSERT INTO users (id, email, created_at, email_verified_at, updated_at) VALUES ($1, $2, now() - $3 * interval '1 day', CASE WHEN $4::bool THEN now() END, now() - $5 * interval '1 day')`, [id, email, days, verified, touched])
    if (signedIn) await sql('INSERT INTO audit_event (id, type, outcome, actor, user_id) VALUES ($1, \'session.started\', \'success\', $2, $3)', [idOfAge(1), `user:${id}`, id])
    return id
  }
  const forgotten = [await account('old@example.com', 31), await account('older@example.com', 400)]
  await account('young@example.com', 29)
  await account('confirmed@example.com', 400, { verified: true })
  await account('imported@example.com', 400, { touched: 5 })
  await account('from-before@example.com', 400, { signedIn: true })
  await keepHouse(ctx)
  t.strictSame((await sql('SELECT email FROM users ORDER BY email')).map(({ email }) => email), ['confirmed@example.com', 'from-before@example.com', 'imported@example.com', 'young@example.com'])
  t.strictSame(await sql('SELECT count(*)::int AS passwords FROM credential'), [{ passwords: 4 }])
  t.strictSame(await sql('SELECT actor, user_id::text, data FROM audit_event WHERE type = \'account.deleted\' ORDER BY user_id'),
    forgotten.toSorted().map(id => ({ actor: 'system', user_id: id, data: { reason: 'never_verified' } })))
})

t.test('where sign-in needs no confirmed address, nobody is deleted for having none', async t => {
  const { ctx, sql } = await world(t, { REQUIRE_VERIFIED_EMAIL: 'false', UNVERIFIED_ACCOUNT_SECONDS: String(DAY) })
  await sql('INSERT INTO users (id, email, created_at) VALUES ($1, \'a@example.com\', now() - interval \'1 year\')', [idOfAge(365)])
  await keepHouse(ctx)
  t.strictSame(await sql('SELECT count(*)::int AS users FROM users'), [{ users: 1 }])
})

t.test('a purge that fails keeps none of the others from its turn, and is retried with the next', async t => {
  const { ctx, sql, logLines } = await world(t)
  await sql('INSERT INTO idempotency (scope, key, fp, status, expires_at) VALUES (\'\\x01\', \'\\x01\', \'\\x01\', 200, now() - interval \'1 day\')')
  await sql('ALTER TABLE refresh_spent RENAME TO refresh_away')
  await t.rejects(keepHouse(ctx), { message: 'not purged: refresh_spent' })
  t.strictSame(await sql('SELECT count(*)::int AS answers FROM idempotency'), [{ answers: 0 }])
  t.match(logLines().find(({ msg }) => msg === 'a purge failed'), { table: 'refresh_spent' })
})

t.test('the cluster keeps house by itself: its schedule is there from the migrations on, and a job of it is done by any node', async t => {
  const databaseUrl = await freshDatabase(t)
  const sql = await sqlTo(t, databaseUrl)
  t.strictSame(await sql('SELECT name, cron FROM pgboss.schedule'), [{ name: 'housekeeping', cron: '*/10 * * * *' }])
  const env = { DATABASE_URL: databaseUrl, KEY_ENCRYPTION_KEY: SHARED_KEK }
  const { ctx } = await world(t, env)
  await sql('INSERT INTO idempotency (scope, key, fp, status, expires_at) VALUES (\'\\x01\', \'\\x01\', \'\\x01\', 200, now() - interval \'1 day\')')
  await ctx.jobs.send(ctx.db, 'housekeeping', {})
  await world(t, { ...env, MAIL_URL: (await openMailbox(t)).url })
  await until(async () => (await sql('SELECT 1 FROM pgboss.job WHERE name = \'housekeeping\' AND state = \'completed\'')).length === 1, 5_000)
  t.strictSame(await sql('SELECT count(*)::int AS answers FROM idempotency'), [{ answers: 0 }])
})
