import { randomUUID } from 'node:crypto'
import { decodeProtectedHeader } from 'jose'
import t from 'tap'
import { createVerifier } from '../../src/sdk/verifier/index.ts'
import { forgeFrom } from '../helpers/forge.ts'
import { until } from '../helpers/until.ts'
import { elsewhere } from '../helpers/verifier.ts'

const METADATA = '/.well-known/oauth-authorization-server'
const JWKS = '/.well-known/jwks.json'

t.test('a hundred first verifications at once fetch the metadata, the keys and the endings once', async t => {
  const w = await elsewhere(t)
  const { access_token: token } = await w.signIn()
  const outcomes = await Promise.all(Array.from({ length: 100 }, async () => await w.ask(token)))
  t.strictSame(new Set(outcomes), new Set(['good']))
  for (const path of [METADATA, JWKS, '/v1/revocations']) t.equal(w.balancer.count(path), 1, path)
})

t.test('tokens that name unknown keys cannot make a verifier fetch keys', async t => {
  const w = await elsewhere(t)
  const { access_token: token } = await w.signIn()
  const { forge } = forgeFrom(w.ctx, token)
  const began = performance.now()
  t.equal(await w.ask(token), 'good')
  for (let at = 0; at < 200; at++) t.equal(await w.ask(forge({ header: { kid: randomUUID() } })), 'unknown_key')
  t.ok(w.balancer.count(JWKS) <= 1 + (performance.now() - began) / 2_000, `${w.balancer.count(JWKS)} requests`)
  t.equal(await w.ask(token), 'good')
})

t.test('a key that signs a few seconds after the keys were fetched is found', async t => {
  const w = await elsewhere(t, { JWKS_MAX_AGE_SECONDS: '1', KEY_SLOT_SECONDS: '4' })
  const kids = new Set<string>()
  await until(async () => {
    const { access_token: token } = await w.signIn()
    kids.add(decodeProtectedHeader(token).kid!)
    const says = await w.ask(token)
    if (says !== 'good') t.equal(says, 'good', `the verifier knows key ${kids.size}`)
    return kids.size === 4
  }, 20_000)
})

t.test('while the issuer is away a new verifier says that it cannot know, without asking for every token', async t => {
  const w = await elsewhere(t)
  const { access_token: token } = await w.signIn()
  w.balancer.to(null)
  for (let at = 0; at < 50; at++) t.equal(await w.ask(token), 'keys_unavailable')
  t.ok(w.balancer.count(METADATA) <= 2, `${w.balancer.count(METADATA)} requests`)
  t.ok(w.events.some(event => event.type === 'keys_failed'))
  w.balancer.to(w.address)
  await until(async () => await w.ask(token) === 'good', 5_000)

  w.balancer.answer(JWKS, 500)
  const late = w.anotherVerifier()
  for (let at = 0; at < 50; at++) t.equal(await w.ask(token, {}, late), 'keys_unavailable')
  t.ok(w.balancer.count(JWKS) <= 3)
  w.balancer.answer(JWKS, null)
  await until(async () => await w.ask(token, {}, late) === 'good', 5_000)
})

t.test('metadata of another issuer, or that sends for keys without TLS, is not used', async t => {
  const w = await elsewhere(t)
  const { access_token: token } = await w.signIn()
  t.equal(await w.ask(token, {}, w.anotherVerifier({ issuer: w.balancer.url.replace('127.0.0.1', 'localhost') })), 'keys_unavailable')

  const asked: string[] = []
  const issuer = 'https://auth.example'
  const fetch = async (url: string) => { asked.push(url); return Response.json({ issuer, jwks_uri: 'http://auth.example/jwks.json' }) }
  t.equal(await w.ask(token, {}, w.anotherVerifier({ issuer, fetch })), 'keys_unavailable')
  t.notOk(asked.includes('http://auth.example/jwks.json'))
})

t.test('a redirect of the keys is not followed', async t => {
  const w = await elsewhere(t)
  w.balancer.answer(JWKS, 302)
  t.equal(await w.ask((await w.signIn()).access_token), 'keys_unavailable')
})

t.test('an issuer or audience that could never match is refused when the verifier is made', async t => {
  for (const issuer of ['', 'auth.example', 'https://auth.example/', 'https://auth.example?x', 'ftp://auth.example', undefined]) {
    t.throws(() => createVerifier({ issuer: issuer as string, audience: 'x' }), TypeError, String(issuer))
  }
  for (const audience of ['', undefined, ['x']]) t.throws(() => createVerifier({ issuer: 'https://auth.example', audience: audience as string }), TypeError)
})
