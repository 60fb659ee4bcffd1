import { decodeJwt } from 'jose'
import t from 'tap'
import { exposition } from '../../src/metrics/exposition.ts'
import { readingOf } from '../../src/metrics/read.ts'
import { newClient, post } from '../helpers/oauth.ts'
import { PASSWORD, world, type World } from '../helpers/world.ts'

/** As an administrator does who has gone through the checks; or whoever has not, and the database at hand. */
const grant = async ({ sql }: World, id: string, { roles, claims }: { roles?: string[], claims?: unknown }) => {
  if (roles) await sql('UPDATE users SET roles = $2 WHERE id = $1', [id, roles])
  if (claims) await sql('UPDATE users SET claims = $2 WHERE id = $1', [id, JSON.stringify(claims)])
}

t.test('custom claims are in the token from the next refresh on, in verify, in introspection, and gone as they came', async t => {
  const w = await world(t)
  const { id, email } = await w.signUp()
  const first = await w.signIn(email)
  const claims = { tenant: 'acme', 'https://example.com/plan': { seats: [1, 2.5, null, 'é'] } }
  await grant(w, id, { claims, roles: ['project:7.writer', 'auditor'] })
  t.notMatch(decodeJwt(first.access_token), { tenant: 'acme' }, 'not before')
  const second = (await w.refresh(first.refresh_token)).json()
  t.match(decodeJwt(second.access_token), { ...claims, roles: ['project:7.writer', 'auditor'], sub: id })
  const verified = await w.verify(second.access_token)
  t.match(verified.json(), claims, 'what a gateway is told')
  t.equal(verified.headers['x-auth-roles'], 'project:7.writer,auditor')
  const introspected = await post(w, '/oauth2/introspect', { token: second.access_token }, { basic: await newClient(w) })
  t.match(introspected.json(), { active: true, token_type: 'Bearer', ...claims })
  t.match(decodeJwt((await w.signIn(email)).access_token), claims, 'and at sign-in')

  const again = await Promise.all([w, await w.anotherNode()].map(async node => decodeJwt((await w.refresh(second.refresh_token, node)).json().access_token)))
  t.strictSame(again[0], again[1], 'the same on every node')
  await grant(w, id, { claims: {}, roles: [] })
  const third = (await w.refresh((await w.refresh(second.refresh_token)).json().refresh_token)).json()
  t.equal(decodeJwt(third.access_token)['tenant'], undefined)
})

t.test('claims that got into the database by another road override nothing that tokens say themselves', async t => {
  const w = await world(t)
  const { id, email } = await w.signUp()
  const before = decodeJwt((await w.signIn(email)).access_token)
  const evil = { iss: 'https://evil.example', sub: 'x', aud: 'x', exp: 9e10, iat: 1, jti: 'x', client_id: 'x', sid: 'x', ver: 99, scope: 'admin', roles: ['admin'], amr: ['mfa'], acr: 'aal3', auth_time: 1 }
  await w.sql('UPDATE users SET claims = $2::jsonb || \'{"__proto__":{"roles":["admin"]},"constructor":{"prototype":{"x":1}}}\' WHERE id = $1', [id, JSON.stringify(evil)])
  const { access_token: token } = await w.signIn(email)
  const after = decodeJwt(token)
  for (const name of ['iss', 'sub', 'aud', 'client_id', 'ver', 'scope', 'roles', 'amr', 'acr']) t.strictSame(after[name], before[name], name)
  for (const name of ['exp', 'iat', 'jti', 'sid', 'auth_time']) t.notSame(after[name], evil[name as keyof typeof evil], name)
  t.equal((await w.verify(token)).statusCode, 200)
  t.equal(({} as Record<string, unknown>)['roles'], undefined, 'no prototype was touched')
})

t.test('nothing that a user sends at sign-up, at sign-in or about themselves becomes a claim', async t => {
  const w = await world(t)
  const { email } = await w.signUp()
  const { access_token: token } = await w.signIn(email)
  const names = Object.keys(decodeJwt(token))
  for (const member of ['sub', 'roles', 'role', 'exp', 'iss', 'claims', 'scope', 'email_verified', 'status', 'epoch']) {
    t.equal((await w.call('PATCH', '/v1/me', { bearer: token, body: { [member]: 'admin' } })).statusCode, 400, member)
    t.equal((await w.call('POST', '/v1/auth/register', { body: { email: 'other@example.com', password: PASSWORD, [member]: 'admin' } })).statusCode, 400, member)
  }
  t.equal((await w.call('PATCH', '/v1/me', { bearer: token, body: { name: 'admin', locale: 'de', profile: { sub: 'x', roles: ['admin'], exp: 1 } } })).statusCode, 200)
  const now = decodeJwt((await w.signIn(email)).access_token)
  t.strictSame(Object.keys(now), names)
  t.strictSame(now['roles'], [])
})

t.test('a token near the limit is counted where whoever runs the service can see it', async t => {
  const w = await world(t)
  const { id, email } = await w.signUp()
  const large = () => /^stateless_auth_large_tokens_total (\d+)$/m.exec(exposition(readingOf({ ctx: w.ctx, tally: w.app.tally })))?.[1]
  const { refresh_token: token } = await w.signIn(email)
  t.equal(large(), '0')
  await grant(w, id, { roles: Array.from({ length: 45 }, (_, at) => `project-${at}:writer`) })
  const { access_token: full } = (await w.refresh(token)).json()
  t.ok(full.length > 1_638 && full.length < 2_048, `${full.length} bytes`)
  t.equal(large(), '1')
  await w.signIn(email)
  t.equal(large(), '2')
  t.equal((await w.verify(full)).statusCode, 200)
})

t.test('a user with as much as an operator may ever allow signs in by cookie, refreshes, and is verified', async t => {
  const w = await world(t, { TOKEN_MAX_BYTES: '8192' })
  const { id, email } = await w.signUp()
  await grant(w, id, { roles: Array.from({ length: 200 }, (_, at) => `project-${at}:writer`) })
  const answer = await w.call('POST', '/v1/auth/login', { body: { email, password: PASSWORD } })
  const [cookie] = answer.cookies
  t.ok(cookie!.name.length + cookie!.value.length <= 4_096, 'roles are not in the cookie')
  const verified = await w.verify(answer.json().access_token)
  t.equal(verified.json().roles.length, 200)
  t.ok(answer.json().access_token.length < 8_000, 'a header that nginx and HAProxy take as they come')
  t.equal((await w.call('POST', '/v1/auth/refresh', { cookies: { [cookie!.name]: cookie!.value } })).statusCode, 200)
})
