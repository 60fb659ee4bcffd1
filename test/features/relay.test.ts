import t from 'tap'
import { createVerifier } from '../../src/sdk/verifier/index.ts'
import { forgeFrom } from '../helpers/forge.ts'
import { goodTokens, hostileTokens, watchedUrl } from '../helpers/hostile-tokens.ts'
import { relayed, relayOn } from '../helpers/relay.ts'
import { until } from '../helpers/until.ts'

t.test('a relay answers verify, keys and metadata as the node does', async t => {
  const { relay, signIn, verify, call } = await relayed(t)
  const { access_token: token } = await signIn()
  const [here, there] = [await verify(token), await relay.call('GET', '/v1/auth/verify', { bearer: token })]
  t.equal(there.statusCode, 200)
  t.strictSame(there.json(), here.json())
  for (const header of ['x-auth-subject', 'x-auth-session', 'x-auth-scope', 'x-auth-roles']) t.equal(there.headers[header], here.headers[header], header)
  const { keys } = (await call('GET', '/.well-known/jwks.json')).json<{ keys: { kid: string }[] }>()
  for (const url of ['/.well-known/jwks.json', '/.well-known/openid-configuration', '/.well-known/oauth-authorization-server', ...keys.map(({ kid }) => `/v1/keys/${kid}.pem`)]) {
    const [mine, its] = [await call('GET', url), await relay.call('GET', url)]
    t.equal(its.statusCode, 200, url)
    t.equal(its.body, mine.body, url)
    t.equal(its.headers.etag, mine.headers.etag, url)
  }
  t.equal((await relay.call('GET', '/v1/keys/nobody.pem')).statusCode, 404)
  for (const [method, url] of [['POST', '/v1/auth/login'], ['POST', '/v1/auth/refresh'], ['GET', '/v1/me']] as const) t.equal((await relay.app.inject({ method, url })).statusCode, 404, `${url} is not here`)
})

t.test('a relay refuses every hostile token that a node refuses, with the same answer', async t => {
  const { relay, signIn, ctx, clock, call } = await relayed(t)
  const good = (await signIn()).access_token
  const forged = forgeFrom(ctx, good)
  const now = Math.floor(clock.now() / 1000)
  for (const [name, token] of Object.entries(goodTokens({ forged, good, now }))) t.equal((await relay.call('GET', '/v1/auth/verify', { bearer: token })).statusCode, 200, name)
  const elsewhere = await watchedUrl(t)
  const groups = await hostileTokens({ forged, good, now, elsewhere: elsewhere.url, refreshToken: (await signIn()).refresh_token, jwks: (await call('GET', '/.well-known/jwks.json')).body })
  for (const [name, shapes] of Object.entries(groups)) {
    await t.test(name, async t => {
      for (const [shape, token] of Object.entries(shapes)) {
        const answer = await relay.call('GET', '/v1/auth/verify', { bearer: token })
        t.match({ status: answer.statusCode, ...answer.headers, ...answer.json() }, { status: 401, 'www-authenticate': 'Bearer error="invalid_token"', code: 'invalid_token' }, shape)
      }
    })
  }
  t.equal(elsewhere.connections(), 0, 'nothing was fetched')
})

t.test('a client that hops between node, relay and another relay with its cursor misses nothing, and is never sent everything anew', async t => {
  const w = await relayed(t)
  const second = await w.anotherRelay(w.relay.url)
  const client = { cursor: (await w.call('GET', '/v1/revocations')).json().cursor as string, ids: new Set<string>() }
  const ended: string[] = []
  let fulls = 0
  const stops = [w, w.relay, second, w.relay]
  for (let hop = 0; hop < 24; hop++) {
    if (hop % 2 === 0) {
      const { refresh_token: token, access_token: access } = await w.signIn()
      await w.call('POST', '/v1/auth/logout', { body: { refresh_token: token } })
      ended.push(access)
      await w.ctx.revocations.poll()
    }
    const document = (await stops[hop % 4]!.call('GET', `/v1/revocations?since=${client.cursor}`)).json<{ cursor: string, full: boolean, e: [string, string][] }>()
    if (document.full) fulls++
    for (const [kind, id] of document.e) client.ids.add(kind + id)
    client.cursor = document.cursor
  }
  const all = (await w.call('GET', '/v1/revocations')).json<{ e: [string, string][] }>().e
  t.equal(all.length, ended.length)
  await until(async () => {
    const document = (await w.call('GET', `/v1/revocations?since=${client.cursor}`)).json<{ e: [string, string][] }>()
    for (const [kind, id] of document.e) client.ids.add(kind + id)
    return true
  })
  t.strictSame(all.filter(([kind, id]) => !client.ids.has(kind + id)), [], 'none was missed')
  t.equal(fulls, 0)
  for (const token of ended) await until(async () => (await second.call('GET', '/v1/auth/verify', { bearer: token })).statusCode === 401, 5_000) // behind two relays
})

t.test('node and relay name the whole feed by the same ETag', async t => {
  const w = await relayed(t)
  const { refresh_token: token } = await w.signIn()
  await w.call('POST', '/v1/auth/logout', { body: { refresh_token: token } })
  w.ctx.revocations.stop()
  await w.ctx.revocations.poll()
  await w.relay.ctx.revocations.poll()
  const [here, there] = [await w.call('GET', '/v1/revocations'), await w.relay.call('GET', '/v1/revocations')]
  t.equal(there.headers.etag, here.headers.etag)
  t.strictSame(there.json(), here.json())
})

t.test('another service\'s verifier follows a relay as it follows a node', async t => {
  const { relay, signIn, call } = await relayed(t)
  const verifier = createVerifier({ issuer: 'https://auth.example.com', audience: 'https://auth.example.com', fetch: async (url, init) => await fetch(url.replace('https://auth.example.com', relay.url), init) })
  t.teardown(() => verifier.close())
  const { access_token: token, refresh_token: refresh, user } = await signIn()
  t.equal((await verifier.verify(token, { maxStaleness: 10 })).sub, user.id)
  await call('POST', '/v1/auth/logout', { body: { refresh_token: refresh } })
  await until(async () => await verifier.verify(token).then(() => false, error => error.code === 'revoked'), 5_000)
})

t.test('a key that was made elsewhere a moment ago is looked up once, however many tokens name others', async t => {
  const { relay, wire, signIn, ctx } = await relayed(t)
  const { access_token: token } = await signIn()
  const { forge } = forgeFrom(ctx, token)
  const before = wire.count('/.well-known/jwks.json')
  await new Promise(resolve => setTimeout(resolve, 5_100)) // the first load counts too
  const answers = await Promise.all(Array.from({ length: 20 }, async (_, at) => await relay.call('GET', '/v1/auth/verify', { bearer: forge({ header: { kid: `nobody-${at}` } }) })))
  t.ok(answers.every(({ statusCode }) => statusCode === 401))
  t.equal(wire.count('/.well-known/jwks.json') - before, 1)
  wire.to(null)
  await new Promise(resolve => setTimeout(resolve, 5_100))
  t.match((await relay.call('GET', '/v1/auth/verify', { bearer: forge({ header: { kid: 'nobody' } }) })).json(), { status: 503, code: 'stale_revocations' }, 'where nobody can be asked that is no reason to refuse')
  t.equal((await relay.call('GET', '/v1/auth/verify', { bearer: token })).statusCode, 200)
})

t.test('keys are kept for a day without the upstream; then nothing is said about a token', async t => {
  const { relay, wire, signIn } = await relayed(t)
  const { access_token: token } = await signIn()
  wire.to(null)
  t.equal((await relay.call('GET', '/v1/auth/verify', { bearer: token })).statusCode, 200)
  relay.clock.advance(86_401)
  const answer = await relay.call('GET', '/v1/auth/verify', { bearer: token })
  t.match(answer.json(), { status: 503, code: 'stale_revocations' })
  t.ok(Number(answer.headers['retry-after']) > 0)
  t.equal((await relay.call('GET', '/.well-known/jwks.json')).statusCode, 503, 'nor is an empty key set handed out')
  t.equal((await relay.call('GET', '/readyz')).statusCode, 503)
})

t.test('before it has read keys and feed a relay is not ready, and asked about a token it answers 503', async t => {
  const { wire, signIn, anotherRelay } = await relayed(t)
  const { access_token: token } = await signIn()
  wire.to(null)
  const relay = await anotherRelay()
  t.match(await relay.call('GET', '/readyz').then(answer => [answer.statusCode, answer.json()]), [503, { status: 'not_ready', upstream: 'away' }])
  t.equal((await relay.call('GET', '/livez')).statusCode, 200)
  for (const url of ['/v1/auth/verify', '/.well-known/jwks.json', '/.well-known/openid-configuration', '/v1/keys/x.pem', '/v1/revocations', '/v1/revocations/stream']) {
    const answer = await relay.call('GET', url, { bearer: token })
    t.match([answer.statusCode, answer.json().code, Number(answer.headers['retry-after']) > 0], [503, 'stale_revocations', true], url)
  }
})

t.test('a relay on an upstream of another issuer never becomes ready, and says why', async t => {
  const { nodeUrl } = await relayed(t)
  const relay = await relayOn(t, nodeUrl, { PUBLIC_URL: 'https://other.example.com' })
  t.equal((await relay.call('GET', '/readyz')).statusCode, 503)
  t.equal((await relay.call('GET', '/v1/revocations')).statusCode, 503, 'nor does it pass on a feed of another')
  t.ok(relay.logLines().some(line => /it is of another issuer: PUBLIC_URL is https:\/\/other\.example\.com, it says "https:\/\/auth\.example\.com"/.test(String(line['err']))))
})
