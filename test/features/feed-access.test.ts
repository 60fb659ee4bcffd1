import t from 'tap'
import { revocationId } from '../../src/lib/digest.ts'
import { basicOf, newClient, tokenOf, type TestClient } from '../helpers/oauth.ts'
import { listening } from '../helpers/socket.ts'
import { until } from '../helpers/until.ts'
import { elsewhere } from '../helpers/verifier.ts'
import { world, type World } from '../helpers/world.ts'

const CLOSED = { FEED_ACCESS: 'client', CORS_ORIGINS: 'https://app.example.com' }
const FEED = ['/v1/revocations', '/v1/revocations/stream']

/** The feed with these credentials; a stream is given a cursor that is none, so that it ends. */
const ask = async ({ call }: Pick<World, 'call'>, url: string, authorization?: string, headers: Record<string, string> = {}) =>
  await call('GET', url, { headers: { ...(authorization !== undefined && { authorization }), ...(url.endsWith('stream') && { 'last-event-id': 'x' }), ...headers } })

t.test('where the feed is closed, only clients and bearers with its scope read it; the others get a problem and a challenge', async t => {
  const w = await world(t, CLOSED)
  const client = await newClient(w, { scope: 'introspect things:read' })
  const { access_token: user } = await w.signIn()
  const good = { Basic: basicOf(client), 'a bearer': `Bearer ${await tokenOf(w, client)}` }
  const bad: [string, string | undefined, number, string, string | undefined][] = [
    ['nobody', undefined, 401, 'invalid_client', 'Basic realm="clients"'],
    ['a wrong secret', basicOf({ ...client, secret: 'x' }), 401, 'invalid_client', 'Basic realm="clients"'],
    ['an unknown client', basicOf({ id: '01930f4e-8a3b-7c2d-9e1f-0a1b2c3d4e5f', secret: 'x' }), 401, 'invalid_client', 'Basic realm="clients"'],
    ['another scheme', 'Digest x', 401, 'invalid_client', 'Basic realm="clients"'],
    ['a bearer of nothing', 'Bearer a.b.c', 401, 'invalid_token', 'Bearer error="invalid_token"'],
    ['a user', `Bearer ${user}`, 403, 'insufficient_scope', undefined],
    ['a service without the scope', `Bearer ${await tokenOf(w, client, { scope: 'things:read' })}`, 403, 'insufficient_scope', undefined],
  ]
  for (const url of FEED) {
    for (const [name, authorization, status, code, challenge] of bad) {
      const answer = await ask(w, url, authorization)
      t.match([answer.statusCode, answer.json().code, answer.headers['www-authenticate'], answer.headers['cache-control'], answer.headers['content-type']], [status, code, challenge, 'no-store', /problem\+json/], `${name} at ${url}`)
      t.equal((await w.call('HEAD', url, { headers: { ...(authorization && { authorization }) } })).statusCode, status, `${name}, HEAD`)
    }
    for (const [name, authorization] of Object.entries(good)) t.equal((await ask(w, url, authorization)).statusCode, url.endsWith('stream') ? 400 : 200, `${name} at ${url}`)
  }
})

t.test('a closed feed is kept by no shared cache and read by no foreign page', async t => {
  const w = await world(t, CLOSED)
  const authorization = basicOf(await newClient(w))
  const answer = await ask(w, FEED[0]!, authorization, { origin: 'https://evil.example' })
  t.match([answer.statusCode, answer.headers['cache-control']], [200, 'private, no-cache'])
  t.equal(answer.headers['access-control-allow-origin'], undefined)
  t.equal((await ask(w, FEED[0]!, authorization, { 'if-none-match': String(answer.headers['etag']) })).statusCode, 304, 'it may be asked whether it changed')
  t.equal((await ask(w, FEED[0]!, undefined, { 'if-none-match': '*' })).statusCode, 401, 'but not by everybody')
  t.equal((await ask(await world(t), FEED[0]!, undefined, { origin: 'https://evil.example' })).headers['access-control-allow-origin'], '*', 'control: an open one is')
})

t.test('a long-poll and a stream of a closed feed work for whom they are', async t => {
  const w = await world(t, CLOSED)
  const client = await newClient(w)
  const { url } = await listening(t, w)
  const headers = { authorization: basicOf(client) }
  const { cursor } = (await ask(w, FEED[0]!, headers.authorization)).json()
  const waiting = ask(w, `${FEED[0]}?since=${cursor}&wait=20`, headers.authorization)
  const stream = await fetch(`${url}${FEED[1]}`, { headers })
  t.match(stream.headers.get('content-type'), /event-stream/)
  const { access_token: bearer } = await w.signIn()
  const { sid } = (await w.call('GET', '/v1/auth/verify', { bearer })).json()
  await w.call('POST', '/v1/auth/logout', { bearer })
  const name = revocationId('s', sid).toString('base64url')
  t.ok((await waiting).body.includes(name))
  let text = ''
  for await (const chunk of stream.body!.pipeThrough(new TextDecoderStream()) as unknown as AsyncIterable<string>) {
    text += chunk
    if (text.includes(name)) break
  }
  t.ok(text.includes(name))
})

/** As docs/verifier.md shows it: credentials for the feed, and for nothing else. */
const withCredentials = (issuer: string, { id, secret }: TestClient) => async (url: string, init: RequestInit): Promise<Response> => {
  const headers = new Headers(init.headers)
  if (url.startsWith(`${issuer}/v1/revocations`)) headers.set('authorization', `Basic ${btoa(`${id}:${secret}`)}`)
  return await fetch(url, { ...init, headers })
}

t.test('the verifier of another service follows a closed feed with credentials, and says that it cannot without', async t => {
  const w = await elsewhere(t, CLOSED)
  const client = await newClient(w)
  const { access_token: token } = await w.signIn()
  t.equal(await w.ask(token), 'good', 'without credentials it verifies, but hears of nothing')
  t.equal(w.verifier.staleness(), Infinity)
  t.ok(w.events.some(({ type }) => type === 'feed_failed'))
  t.equal(await w.ask(token, { maxStaleness: 30 }), 'stale_revocations')

  const follower = w.anotherVerifier({ fetch: withCredentials(w.config.publicUrl, client) })
  t.equal(await w.ask(token, { maxStaleness: 30 }, follower), 'good')
  await w.call('POST', '/v1/auth/logout', { bearer: token })
  await t.resolves(until(async () => await w.ask(token, {}, follower) === 'revoked', 5_000))
  t.notOk(w.balancer.seen.some(({ path, headers }) => !path.startsWith('/v1/revocations') && headers.authorization !== undefined), 'the credentials went to the feed only')
})
