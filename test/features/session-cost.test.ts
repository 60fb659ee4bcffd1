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

t.test('signing in, verifying and being verified again write no row anywhere', async t => {
  const { signUp, signIn, verify, sql } = await world(t)
  const { email } = await signUp()
  const before = await everything(sql)
  for (let session = 0; session < 3; session++) t.equal((await verify((await signIn(email)).access_token)).statusCode, 200)
  t.strictSame(await everything(sql), before)
  t.ok(Object.keys(before).length >= 6, 'it did look at the tables')
})

t.test('a refresh is one statement, a logout is one, a sign-in is one, and a verification is none', async t => {
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
  }), { statusCode: 200, statements: 1 })
  for (const which of ['the first', 'a repeated']) t.strictSame(await counted(async () => await refresh(token)), { statusCode: 200, statements: 1 }, which)
  t.strictSame(await counted(async () => await verify(access)), { statusCode: 200, statements: 0 })
  t.strictSame(await counted(async () => await verify(`${access}x`)), { statusCode: 401, statements: 0 })
  t.strictSame(await counted(async () => await refresh('a.b.c')), { statusCode: 401, statements: 0 })
  for (const which of ['the first', 'a repeated']) {
    t.strictSame(await counted(async () => await call('POST', '/v1/auth/logout', { body: { refresh_token: token } })), { statusCode: 204, statements: 1 }, which)
  }
  t.strictSame(await counted(async () => await refresh(token)), { statusCode: 401, statements: 1 }, 'after the logout')
  const second = await signIn(email)
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
