import t, { type Test } from 'tap'
import { forgeFrom } from '../helpers/forge.ts'
import { goodTokens, hostileRsaTokens, hostileTokens, watchedUrl, type Shapes } from '../helpers/hostile-tokens.ts'
import { elsewhere, type Elsewhere } from '../helpers/verifier.ts'

const REFUSALS = ['malformed_token', 'unknown_key', 'invalid_signature', 'invalid_claims', 'expired']

async function refusesAll (t: Test, { ask }: Elsewhere, shapes: Shapes): Promise<void> {
  for (const [shape, token] of Object.entries(shapes)) t.ok(REFUSALS.includes(await ask(token)), shape)
}

t.test('another service refuses every hostile token that this one refuses, and accepts the same good ones', async t => {
  const w = await elsewhere(t)
  const good = (await w.signIn()).access_token
  const forged = forgeFrom(w.ctx, good)
  const now = Math.floor(w.clock.now() / 1000)
  for (const [name, token] of Object.entries(goodTokens({ forged, good, now }))) t.equal(await w.ask(token), 'good', name)

  const watched = await watchedUrl(t)
  const groups = await hostileTokens({
    forged, good, now, elsewhere: watched.url, refreshToken: (await w.signIn()).refresh_token, jwks: (await w.call('GET', '/.well-known/jwks.json')).body,
  })
  for (const [name, shapes] of Object.entries(groups)) await t.test(name, async t => await refusesAll(t, w, shapes))
  t.equal(watched.connections(), 0, 'nothing was fetched')
  t.equal(w.balancer.count('/.well-known/jwks.json'), 1, 'and the keys only once')
  t.equal(await w.ask(good), 'good', 'and the good token is still good')
})

t.test('a refusal says in a stable code what was wrong', async t => {
  const { ask, ctx, signIn, clock } = await elsewhere(t)
  const { forge } = forgeFrom(ctx, (await signIn()).access_token)
  const now = Math.floor(clock.now() / 1000)
  t.equal(await ask(forge({ header: { crit: ['exp'] } })), 'malformed_token')
  t.equal(await ask(forge({ header: { typ: 'JWT' } })), 'malformed_token')
  t.equal(await ask(forge({ header: { kid: 'nobody' } })), 'unknown_key')
  t.equal(await ask(forge({ header: { alg: 'RS256' } })), 'unknown_key', 'the key is for another algorithm')
  t.equal(await ask(forge({ signature: () => Buffer.alloc(64) })), 'invalid_signature')
  t.equal(await ask(forge({ claims: { aud: 'https://other.example' } })), 'invalid_claims')
  t.equal(await ask(forge({ claims: { roles: 'admin' } })), 'invalid_claims')
  t.equal(await ask(forge({ claims: { exp: now - 61 } })), 'expired')
  for (const token of [undefined, null, 7, {}, [], ['a.b.c']]) t.equal(await ask(token as never), 'malformed_token', JSON.stringify(token))
})

t.test('what verify answers are the claims; of a member given twice the last, as everywhere', async t => {
  const { ctx, verifier, signIn } = await elsewhere(t)
  const { access_token: token, user } = await signIn()
  const { forge, claims } = forgeFrom(ctx, token)
  t.strictSame(await verifier.verify(token), claims)
  const twice = forge({ rawPayload: `{"sub":"01930f4e-8a3b-7c2d-9e1f-0a1b2c3d4e5f","roles":["admin"],"__proto__":{"scope":"admin"},${JSON.stringify(claims).slice(1)}` })
  t.match(await verifier.verify(twice), { sub: user.id, roles: [], scope: 'account' })
})

t.test('with RS256 a token is good under RS256 only', async t => {
  const w = await elsewhere(t, { SIGNING_ALG: 'RS256' })
  const good = (await w.signIn()).access_token
  const forged = forgeFrom(w.ctx, good)
  t.equal(await w.ask(good), 'good')
  t.equal(await w.ask(forged.forge()), 'good', 'control')
  await refusesAll(t, w, hostileRsaTokens(forged))
})
