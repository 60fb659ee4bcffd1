import t, { type Test } from 'tap'
import { forgeFrom, hmac, isSignedBy } from '../helpers/forge.ts'
import { goodTokens, hostileRsaTokens, hostileTokens, watchedUrl, type Shapes } from '../helpers/hostile-tokens.ts'
import { PASSWORD, world, type World } from '../helpers/world.ts'

/** 401 with the challenge and a problem, at both kinds of guarded route. A 500 or an undocumented answer fails in `call`. */
async function refusesAll (t: Test, { call }: World, shapes: Shapes): Promise<void> {
  for (const [shape, token] of Object.entries(shapes)) {
    for (const url of ['/v1/auth/verify', '/v1/me']) {
      const answer = await call('GET', url, { bearer: token })
      t.match({ status: answer.statusCode, ...answer.headers, ...answer.json() }, {
        status: 401, 'www-authenticate': 'Bearer error="invalid_token"', 'content-type': /^application\/problem\+json/, 'cache-control': 'no-store', code: 'invalid_token',
      }, `${shape} at ${url}`)
    }
  }
}

t.test('more than sixty shapes of hostile access tokens are each refused with 401', async t => {
  const w = await world(t)
  const good = (await w.signIn()).access_token
  const forged = forgeFrom(w.ctx, good)
  const now = Math.floor(w.clock.now() / 1000)
  for (const [name, token] of Object.entries(goodTokens({ forged, good, now }))) {
    t.equal((await w.verify(token)).statusCode, 200, `control: a token ${name} is good`)
  }
  const elsewhere = await watchedUrl(t)
  const groups = await hostileTokens({
    forged, good, now, elsewhere: elsewhere.url, refreshToken: (await w.signIn()).refresh_token, jwks: (await w.call('GET', '/.well-known/jwks.json')).body,
  })
  for (const [name, shapes] of Object.entries(groups)) await t.test(name, async t => await refusesAll(t, w, shapes))
  const tokens = new Set(Object.values(groups).flatMap(shapes => Object.values(shapes)))
  t.ok(tokens.size >= 200, `${tokens.size} different tokens`)
  const reallySigned = [groups.times, groups.identity, groups.services, groups.kinds, groups.extensions].flatMap(shapes => Object.values(shapes)).filter(token => isSignedBy(forged.key, token))
  t.ok(reallySigned.length >= 100, `${reallySigned.length} of them are signed with the key in use`)
  t.equal(elsewhere.connections(), 0, 'nothing was fetched')
  t.equal((await w.verify(good)).statusCode, 200, 'and the good token is still good')
})

t.test('a member given twice counts by its last value, in every reader of the token alike', async t => {
  const { ctx, signIn, verify, call } = await world(t)
  const { access_token: token, user } = await signIn()
  const { forge, claims } = forgeFrom(ctx, token)
  const twice = forge({ rawPayload: `{"sub":"01930f4e-8a3b-7c2d-9e1f-0a1b2c3d4e5f",${JSON.stringify(claims).slice(1)}` })
  const answer = await verify(twice)
  t.equal(answer.headers['x-auth-subject'], user.id)
  t.equal(answer.json().sub, user.id)
  t.equal((await call('GET', '/v1/me', { bearer: twice })).json().id, user.id)
  const admin = forge({ rawPayload: `{"roles":["admin"],"scope":"account admin","__proto__":{"scope":"admin"},${JSON.stringify(claims).slice(1)}` })
  t.match((await verify(admin)).headers, { 'x-auth-scope': 'account', 'x-auth-roles': '' })
})

t.test('a token of every kind opens only its own door', async t => {
  const { ctx, call, refresh, signIn, verify, config } = await world(t)
  const tokens = await signIn()
  const { forge, keyOf } = forgeFrom(ctx, tokens.access_token)
  const rt = forgeFrom(ctx, tokens.refresh_token)
  const impostors: Shapes = {
    'an access token': tokens.access_token,
    'an access token with typ rt+jwt': forge({ header: { typ: 'rt+jwt' } }),
    'refresh claims under the access key': forge({ header: { typ: 'rt+jwt' }, rawPayload: JSON.stringify(rt.claims) }),
    'a refresh token with typ at+jwt': rt.forge({ key: keyOf('rt'), header: { typ: 'at+jwt' } }),
    'a refresh token under the key of action tokens': rt.forge({ key: keyOf('ft'), header: { kid: keyOf('ft').kid } }),
    'a refresh token under the action key, with the refresh kid': rt.forge({ key: keyOf('ft') }),
    'a refresh token without algorithm': rt.forge({ header: { alg: 'none' }, signature: () => Buffer.alloc(0) }),
    'a refresh token under the empty key': rt.forge({ signature: hmac('') }),
    'a refresh token under its kid as key': rt.forge({ signature: hmac(keyOf('rt').kid) }),
    'a refresh token for the access audience': rt.forge({ key: keyOf('rt'), claims: { aud: config.tokenAudience } }),
    'a refresh token of another issuer': rt.forge({ key: keyOf('rt'), claims: { iss: 'https://evil.example' } }),
    'a refresh token with padding': `${tokens.refresh_token}=`,
    'a refresh token with a space': tokens.refresh_token.replace('.', ' .'),
    'a refresh token with a newline': `${tokens.refresh_token}\n`,
    'a refresh token with crit': rt.forge({ key: keyOf('rt'), header: { crit: null } }),
    'an expired refresh token': rt.forge({ key: keyOf('rt'), claims: { exp: 1 } }),
    'a refresh token of an ended session span': rt.forge({ key: keyOf('rt'), claims: { sexp: 1 } }),
    'JSON serialisation': JSON.stringify({ payload: 'e30', protected: 'e30', signature: 'e30' }),
    'a password': PASSWORD,
  }
  for (const member of ['sub', 'sid', 'gen', 'ver', 'exp', 'sexp', 'aud', 'iss', 'scope', 'amr']) {
    for (const value of [undefined, null, '', {}, -1]) {
      if (!(member === 'ver' && value === -1) && !(member === 'scope' && value === '')) impostors[`a refresh token with ${member} ${JSON.stringify(value)}`] = rt.forge({ key: keyOf('rt'), claims: { [member]: value } })
    }
  }
  const before = await verify(tokens.access_token)
  for (const [name, token] of Object.entries(impostors)) {
    const answer = await refresh(token)
    t.match([answer.statusCode, answer.json().code, answer.headers['www-authenticate']], [401, 'session_ended', 'Bearer'], `${name} does not refresh`)
    const inCookie = await call('POST', '/v1/auth/refresh', { cookies: { '__Host-rt': encodeURIComponent(token) } })
    t.match([inCookie.statusCode, inCookie.json().code], [401, 'session_ended'], `${name} does not refresh from the cookie`)
    t.equal((await call('POST', '/v1/auth/logout', { body: { refresh_token: token } })).statusCode, 204)
  }
  t.equal((await verify(tokens.access_token)).body, before.body, 'and none of them ended the session')
  t.equal((await refresh(tokens.refresh_token)).statusCode, 200)
})

t.test('with RS256 a token is good under RS256 only, although its key could verify others', async t => {
  const w = await world(t, { SIGNING_ALG: 'RS256' })
  const good = (await w.signIn()).access_token
  const forged = forgeFrom(w.ctx, good)
  t.equal(forged.header.alg, 'RS256')
  t.equal((await w.verify(good)).statusCode, 200)
  t.equal((await w.verify(forged.forge())).statusCode, 200, 'control')
  await refusesAll(t, w, hostileRsaTokens(forged))
})

t.test('once a signing key is known to be stolen its tokens are refused for good, not asked to come again', async t => {
  const { ctx, sql, signIn, verify, refresh } = await world(t)
  const tokens = await signIn()
  await sql('UPDATE signing_key SET compromised_at = now() WHERE slot = (SELECT min(slot) FROM signing_key)')
  await ctx.keyring.reload()
  for (const attempt of [1, 2]) {
    t.equal((await verify(tokens.access_token)).statusCode, 401, `access, attempt ${attempt}`)
    t.match((await refresh(tokens.refresh_token)).json(), { status: 401, code: 'session_ended' }, `refresh, attempt ${attempt}`)
  }
  const later = await signIn()
  t.equal((await verify(later.access_token)).statusCode, 200, 'the next key signs')
  t.equal((await refresh(later.refresh_token)).statusCode, 200)
})
