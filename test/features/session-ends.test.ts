import { decodeJwt } from 'jose'
import t from 'tap'
import type { LightMyRequestResponse } from 'fastify'
import { until } from '../helpers/until.ts'
import { PASSWORD, world, type World } from '../helpers/world.ts'

const COOKIE = '__Host-rt'

const signInWithCookie = async ({ call, signUp }: World, email?: string) => {
  const answer = await call('POST', '/v1/auth/login', { body: { email: email ?? (await signUp()).email, password: PASSWORD } })
  return { accessToken: answer.json().access_token as string, jar: { [COOKIE]: answer.cookies[0]!.value } }
}

/** The browser is told to forget the cookie, with the attributes it was set with; others would leave it in place. */
const clearsCookie = ({ cookies }: LightMyRequestResponse): boolean => cookies.length === 1 && cookies[0]!.name === COOKIE && cookies[0]!.value === '' &&
  cookies[0]!.expires?.getTime() === 0 && cookies[0]!.path === '/' && cookies[0]!.secure === true && cookies[0]!.httpOnly === true && cookies[0]!.sameSite === 'Strict'

const endings = {
  'a user whose sessions were all ended (a higher epoch)': 'UPDATE users SET epoch = epoch + 1',
  'a disabled user': 'UPDATE users SET status = 2',
  'a deleted user': 'DELETE FROM users',
}
for (const [who, statement] of Object.entries(endings)) {
  t.test(`${who} cannot refresh, and the browser forgets the cookie`, async t => {
    const w = await world(t)
    const { jar } = await signInWithCookie(w)
    await w.sql(statement)
    const answer = await (await w.anotherNode()).call('POST', '/v1/auth/refresh', { cookies: jar })
    t.equal(answer.statusCode, 401)
    t.equal(answer.json().code, 'session_ended')
    t.ok(clearsCookie(answer))
    t.strictSame(await w.sql('SELECT * FROM refresh_spent'), [], 'nothing was spent')
  })
}

t.test('a disabled user who is enabled again still has the session', async t => {
  const w = await world(t)
  const { refresh_token: token } = await w.signIn()
  await w.sql('UPDATE users SET status = 2')
  t.equal((await w.refresh(token)).statusCode, 401)
  await w.sql('UPDATE users SET status = 1')
  t.equal((await w.refresh(token)).statusCode, 200, 'who means it for good raises the epoch too')
})

t.test('a session that nobody refreshed for the idle time has ended', async t => {
  const w = await world(t, { REFRESH_TOKEN_TTL_SECONDS: '3600' })
  const { jar } = await signInWithCookie(w)
  w.clock.advance(3590)
  t.equal((await w.call('POST', '/v1/auth/refresh', { cookies: jar })).statusCode, 200, 'just before')
  w.clock.advance(11)
  const answer = await w.call('POST', '/v1/auth/refresh', { cookies: jar })
  t.equal(answer.statusCode, 401)
  t.ok(clearsCookie(answer))
})

t.test('no refresh moves the absolute end of a session, not even under a configuration that became more generous', async t => {
  const kek = { KEY_ENCRYPTION_KEY: `t:${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')}` }
  const before = await world(t, { ...kek, SESSION_MAX_SECONDS: '7200', REFRESH_TOKEN_TTL_SECONDS: '7200' })
  const first = await before.signIn()
  const end = decodeJwt(first.refresh_token)['sexp'] as number
  const after = await world(t, { ...kek, DATABASE_URL: before.databaseUrl })
  let token = first.refresh_token
  for (let round = 0; round < 3; round++) {
    token = (await after.refresh(token)).json().refresh_token
    t.match(decodeJwt(token), { exp: end, sexp: end })
  }
  after.clock.advance(7201)
  t.equal((await after.refresh(token)).json().code, 'session_ended')
})

t.test('logging out ends the session on every node, whichever proof names it', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  const proofs = {
    cookie: ({ jar }: Awaited<ReturnType<typeof signInWithCookie>>) => ({ cookies: jar }),
    body: ({ jar }: Awaited<ReturnType<typeof signInWithCookie>>) => ({ body: { refresh_token: jar[COOKIE] } }),
    'bearer token': ({ accessToken }: Awaited<ReturnType<typeof signInWithCookie>>) => ({ bearer: accessToken }),
  }
  for (const [name, proof] of Object.entries(proofs)) {
    const session = await signInWithCookie(w)
    const answer = await w.call('POST', '/v1/auth/logout', proof(session))
    t.equal(answer.statusCode, 204, name)
    t.equal(answer.cookies.length, name === 'cookie' ? 1 : 0)
    t.equal(name !== 'cookie' || clearsCookie(answer), true)
    t.equal((await other.call('POST', '/v1/auth/refresh', { cookies: session.jar })).json().code, 'session_ended')
    t.equal((await w.verify(session.accessToken)).statusCode, 401, 'at once where it happened')
    await t.resolves(until(async () => (await w.verify(session.accessToken, other)).statusCode === 401), 'and within two seconds elsewhere')
    t.equal((await other.call('POST', '/v1/auth/logout', proof(session))).statusCode, 204, 'repeated: the same')
  }
  t.equal((await w.sql('SELECT * FROM revocation')).length, 3, 'repeating writes nothing')
})

t.test('logging out without a session, or with something that never was one, is the same 204', async t => {
  const { call, sql } = await world(t)
  const nothing = [{}, { body: {} }, { cookies: { [COOKIE]: 'x' } }, { body: { refresh_token: 'a.b.c' } }, { bearer: 'a.b.c' }]
  for (const proof of nothing) t.equal((await call('POST', '/v1/auth/logout', proof)).statusCode, 204)
  t.strictSame(await sql('SELECT * FROM refresh_spent'), [])
})

t.test('a logout by an older token of the family ends the family', async t => {
  const { signIn, refresh, call } = await world(t)
  const { refresh_token: old } = await signIn()
  const { refresh_token: token } = (await refresh(old)).json()
  t.equal((await call('POST', '/v1/auth/logout', { body: { refresh_token: old } })).statusCode, 204)
  t.equal((await refresh(token)).statusCode, 401)
})

t.test('a refresh that races a logout brings nothing that survives it', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  const won: string[] = []
  const { email } = await w.signUp()
  for (let round = 0; round < 25; round++) {
    const { refresh_token: token } = await w.signIn(email)
    const [refreshed, loggedOut] = await Promise.all([w.refresh(token), other.call('POST', '/v1/auth/logout', { body: { refresh_token: token } })])
    t.equal(loggedOut.statusCode, 204)
    if (refreshed.statusCode !== 200) { t.equal(refreshed.json().code, 'session_ended'); continue }
    won.push(refreshed.json().access_token)
    t.equal((await w.refresh(refreshed.json().refresh_token)).json().code, 'session_ended')
  }
  for (const node of [w, other]) {
    await t.resolves(until(async () => (await Promise.all(won.map(async token => await w.verify(token, node)))).every(answer => answer.statusCode === 401)))
  }
})
