import { availableParallelism } from 'node:os'
import t from 'tap'
import { databaseLink } from '../helpers/database-link.ts'
import { freshDatabase, sqlTo, type Sql } from '../helpers/database.ts'
import { until } from '../helpers/until.ts'
import { PASSWORD, world } from '../helpers/world.ts'

/** All rows of all tables: nothing can be written that this does not show. */
async function everything (sql: Sql): Promise<Record<string, string[]>> {
  const tables = await sql<{ name: string }>('SELECT relname AS name FROM pg_class WHERE relkind = \'r\' AND relnamespace = \'public\'::regnamespace ORDER BY 1')
  return Object.fromEntries(await Promise.all(tables.map(async ({ name }) =>
    [name, (await sql<{ row: string }>(`SELECT x.ctid || ' ' || x.xmin || x::text AS row FROM "${name}" x ORDER BY 1`)).map(({ row }) => row)])))
}

/** A node whose wire to the database is in our hands, and that asks nothing by itself. */
async function linkedWorld (t: Parameters<typeof world>[0]) {
  const database = await freshDatabase(t)
  const link = await databaseLink(t, database)
  const w = await world(t, { DATABASE_URL: link.url })
  const quiet = async () => {
    w.ctx.revocations.stop()
    w.ctx.keyring.stop()
    await w.ctx.revocations.poll()
    link.statements.length = 0
  }
  return { ...w, link, quiet, direct: await sqlTo(t, database), database }
}

t.test('signing in writes one line of the audit trail and counters, and no session; verifying writes nothing', async t => {
  const { signUp, signIn, verify, sql } = await world(t)
  const { email } = await signUp()
  const tables = async () => {
    const { audit_event: events, rate_limit: counters, ...rest } = await everything(sql)
    return { events: events!.length, counters, rest }
  }
  const before = await tables()
  const tokens: string[] = []
  for (let session = 0; session < 3; session++) tokens.push((await signIn(email)).access_token)
  const after = await tables()
  t.strictSame(after.rest, before.rest)
  t.equal(after.events, before.events + 3)
  // Trusted for nothing: it can go.
  await sql('TRUNCATE audit_event, rate_limit')
  const emptied = await tables()
  for (const token of tokens) t.equal((await verify(token)).statusCode, 200)
  t.strictSame(await tables(), emptied)
  t.ok(Object.keys(before.rest).length >= 6, 'it did look at the tables')
})

t.test('a refresh is one statement, a logout is one, a sign-in is four, and a verification is none', async t => {
  const { signUp, signIn, refresh, verify, call, link, quiet } = await linkedWorld(t)
  const { email } = await signUp()
  await quiet()
  const counted = async (work: () => Promise<{ statusCode: number }>) => {
    link.statements.length = 0
    const { statusCode } = await work()
    return { statusCode, statements: link.statements.length }
  }
  let token = ''
  let access = ''
  t.strictSame(await counted(async () => {
    const answer = await call('POST', '/v1/auth/login', { body: { email, password: PASSWORD, refresh: 'body' } })
    ;({ refresh_token: token, access_token: access } = answer.json())
    return answer
  }), { statusCode: 200, statements: 4 }, 'address and account are counted, the account is read, the result is written')
  const [one, other, ...rest] = link.statements.map(statement => /^\s*(INSERT INTO "?rate_limit|SELECT u\.id|WITH c AS)/.exec(statement)?.[1])
  t.match([one, other].toSorted(), ['INSERT INTO "rate_limit', 'SELECT u.id'], 'at the same time')
  t.match(rest, ['INSERT INTO "rate_limit', 'WITH c AS'])
  await until(() => link.statements.length === 5, 1_000) // what the account is not charged for is given back, and nobody waits for it
  for (const which of ['the first', 'a repeated']) t.strictSame(await counted(async () => await refresh(token)), { statusCode: 200, statements: 1 }, which)
  t.strictSame(await counted(async () => await verify(access)), { statusCode: 200, statements: 0 })
  t.strictSame(await counted(async () => await verify(`${access}x`)), { statusCode: 401, statements: 0 })
  t.strictSame(await counted(async () => await refresh('a.b.c')), { statusCode: 401, statements: 0 })
  for (const which of ['the first', 'a repeated']) {
    t.strictSame(await counted(async () => await call('POST', '/v1/auth/logout', { body: { refresh_token: token } })), { statusCode: 204, statements: 1 }, which)
  }
  t.strictSame(await counted(async () => await refresh(token)), { statusCode: 401, statements: 1 }, 'after the logout')
  link.statements.length = 0
  const second = await signIn(email)
  await until(() => link.statements.length === 5)
  t.strictSame(await counted(async () => await call('POST', '/v1/auth/logout', { bearer: second.access_token })), { statusCode: 204, statements: 1 }, 'by bearer token')
})

t.test('while the database is away a refresh answers 503 and keeps the cookie, a logout answers 503 and clears it', async t => {
  const { signUp, call, link } = await linkedWorld(t)
  const { email } = await signUp()
  const signedIn = await call('POST', '/v1/auth/login', { body: { email, password: PASSWORD } })
  const jar = { '__Host-rt': signedIn.cookies[0]!.value }
  await link.cut()

  const refreshed = await call('POST', '/v1/auth/refresh', { cookies: jar })
  t.equal(refreshed.statusCode, 503)
  t.equal(refreshed.json().code, 'database_unavailable')
  t.ok(Number(refreshed.headers['retry-after']) > 0)
  t.strictSame(refreshed.cookies, [])
  t.equal((await call('GET', '/v1/auth/verify', { bearer: signedIn.json().access_token })).statusCode, 200)

  const loggedOut = await call('POST', '/v1/auth/logout', { cookies: jar })
  t.equal(loggedOut.statusCode, 503, 'it has not ended, and says so')
  t.ok(Number(loggedOut.headers['retry-after']) > 0)
  t.match(loggedOut.cookies, [{ name: '__Host-rt', value: '' }], 'but this browser forgets it')

  await link.mend()
  t.equal((await call('POST', '/v1/auth/refresh', { cookies: jar })).statusCode, 200)
})

t.test('a refresh token under a key that this node has not seen is not refused while nobody can be asked about the key', async t => {
  const { call, refresh, link, quiet, direct, config, database } = await linkedWorld(t)
  // The node sleeps through an emergency rotation; another one issues under the new key.
  await quiet()
  await direct('UPDATE signing_key SET compromised_at = now() WHERE use = \'rt\'')
  const [[id, key]] = [...config.keyEncryptionKey!] as [[string, Buffer]]
  const newer = await world(t, { DATABASE_URL: database, KEY_ENCRYPTION_KEY: `${id}:${key.toString('base64')}` })
  const { refresh_token: token } = await newer.signIn()

  await link.cut()
  const answer = await call('POST', '/v1/auth/refresh', { cookies: { '__Host-rt': token } })
  t.equal(answer.statusCode, 503)
  t.equal(answer.json().code, 'database_unavailable')
  t.ok(Number(answer.headers['retry-after']) > 0)
  t.strictSame(answer.cookies, [])
  await link.mend()
  await t.resolves(until(async () => (await refresh(token)).statusCode === 200, 8_000), 'and is good again without a restart')
})

t.test('of many sign-ins at once, those that wait and those that are refused have cost no statement', async t => {
  const database = await freshDatabase(t)
  const link = await databaseLink(t, database)
  const { call, ctx } = await world(t, { DATABASE_URL: link.url, ARGON2_PASSES: '10' })
  const entered = 4 * Math.max(1, availableParallelism() - 1)
  const reads = () => link.statements.filter(statement => /^\s*SELECT u\.id/.test(statement)).length
  link.statements.length = 0
  const answers = Array.from({ length: entered + 200 }, async (_, at) =>
    await call('POST', '/v1/auth/login', { body: { email: `${at}@mail.test`, password: PASSWORD }, remoteAddress: `10.0.${at % 100}.1` }))
  await until(() => ctx.passwords.waiting > 20 && reads() >= entered, 5_000)
  const seen = { reads: reads(), waiting: ctx.passwords.waiting }
  const codes = (await Promise.all(answers)).map(answer => answer.json<{ code: string }>().code)
  const refused = codes.filter(code => code === 'login_busy').length
  t.ok(refused > 20, `${refused} were refused`)
  t.ok(seen.reads < entered + 10, `${seen.reads} had been read while ${seen.waiting} waited`)
  t.ok(reads() <= codes.length - refused, 'and nothing was read for who was refused')
})
