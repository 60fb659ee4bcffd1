import Fastify, { type FastifyReply } from 'fastify'
import t from 'tap'
import { startHeaders } from '../../src/http/start-headers.ts'
import { PASSWORD, world } from '../helpers/world.ts'

t.test('every answer forbids caching, sniffing, framing and referring, and says nothing about what runs here', async t => {
  const { call, signIn } = await world(t, { PUBLIC_URL: 'https://auth.example.com' })
  const { access_token: bearer, user } = await signIn()
  const answers: [number, string, string, object?][] = [
    [200, 'GET', '/v1/me', { bearer }],
    [200, 'GET', '/v1/auth/verify', { bearer }],
    [200, 'POST', '/v1/auth/login', { body: { email: user.email, password: PASSWORD } }],
    [201, 'POST', '/v1/auth/register', { body: { email: 'new@example.com', password: PASSWORD } }],
    [204, 'POST', '/v1/auth/logout'],
    [400, 'POST', '/v1/auth/login', { body: {} }],
    [400, 'POST', '/v1/auth/login', { body: '{', headers: { 'content-type': 'application/json' } }],
    [401, 'GET', '/v1/me'],
    [401, 'POST', '/v1/auth/login', { body: { email: user.email, password: 'x' } }],
    [401, 'POST', '/v1/auth/refresh', { body: { refresh_token: 'x' } }],
    [403, 'POST', '/v1/auth/login', { headers: { origin: 'https://evil.example' } }],
    [404, 'GET', '/nowhere'],
    [405, 'DELETE', '/v1/auth/login'],
    [409, 'POST', '/v1/auth/register', { body: { email: user.email, password: PASSWORD } }],
    [413, 'POST', '/v1/auth/login', { body: 'x'.repeat(70_000), headers: { 'content-type': 'application/json' } }],
    [415, 'POST', '/v1/auth/login', { body: 'x', headers: { 'content-type': 'text/plain' } }],
    [200, 'GET', '/livez'], [200, 'GET', '/readyz'],
    [200, 'GET', '/docs/'],
    [200, 'GET', '/openapi.json'],
  ]
  for (const [status, method, url, options] of answers) {
    const { statusCode, headers, body } = await call(method, url, options)
    const name = `${method} ${url} ${status}`
    t.equal(statusCode, status, name)
    t.match(headers, {
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'x-frame-options': 'DENY',
      'content-security-policy': /default-src 'none'.*frame-ancestors 'none'/,
      'strict-transport-security': 'max-age=63072000',
      'x-request-id': /^[0-9a-f-]{36}$/,
    }, name)
    t.notOk(['server', 'x-powered-by', 'via'].some(header => header in headers), `${name}: no banner`)
    if (status >= 400) t.notMatch(body, /fastify|node_modules|prisma|postgres|select|at \/|\.ts|stack/i, `${name}: no stack, no SQL`)
    if (status >= 400) t.match(JSON.parse(body), { type: 'about:blank', title: /./, status, code: /^[a-z_]+$/, request_id: headers['x-request-id'] }, `${name}: one form of error`)
  }
  const page = await call('GET', '/docs/')
  t.match(page.headers['content-type'], 'text/html')
  t.notMatch(page.headers['content-security-policy'], /https?:|unsafe-eval|script-src[^;]*unsafe-inline/, 'the page runs no script but its own')
  const { call: plain } = await world(t, { PUBLIC_URL: 'http://localhost:3000' })
  t.equal((await plain('GET', '/livez')).headers['strict-transport-security'], undefined, 'without TLS there is no HSTS')
})

t.test('a failure of our own is opaque and has the same headers', async t => {
  const { app, sql, signIn } = await world(t)
  const { access_token: token } = await signIn()
  await sql('ALTER TABLE users RENAME TO hidden_users')
  const answer = await app.inject({ url: '/v1/me', headers: { authorization: `Bearer ${token}` } })
  await sql('ALTER TABLE hidden_users RENAME TO users')
  t.strictSame(answer.json(), { type: 'about:blank', title: 'Something went wrong on our side', status: 500, code: 'internal', request_id: answer.headers['x-request-id'] })
  t.match(answer.headers, { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'content-type': /problem\+json/ })
})

t.test('public keys and metadata are cached by everybody, and never for longer than a quarter of an hour', async t => {
  const { call } = await world(t)
  const { keys } = (await call('GET', '/.well-known/jwks.json')).json()
  const type: Record<string, RegExp> = { '/.well-known/jwks.json': /^application\/json/, '/.well-known/openid-configuration': /^application\/json/, '/.well-known/oauth-authorization-server': /^application\/json/, [`/v1/keys/${keys[0].kid}.pem`]: /^application\/x-pem-file/ }
  for (const [url, contentType] of Object.entries(type)) {
    const { statusCode, headers } = await call('GET', url, { headers: { origin: 'https://anybody.example' }, cookies: { '__Host-rt': 'x' } })
    t.equal(statusCode, 200, url)
    t.match(headers, { 'content-type': contentType, 'cache-control': /^public, max-age=\d+/, 'access-control-allow-origin': '*', 'x-content-type-options': 'nosniff' }, url)
    t.ok(Number(/max-age=(\d+)/.exec(String(headers['cache-control']))![1]) <= 900)
    t.equal(headers['set-cookie'], undefined)
    t.equal((await call('HEAD', url)).statusCode, 200)
  }
  t.match((await call('GET', '/v1/keys/unknown.pem')).headers['cache-control'], 'no-store', 'a key that may yet come is not cached as missing')
})

t.test('a key set that has not changed is not sent again, also when a proxy has weakened its tag', async t => {
  const { call, anotherNode } = await world(t)
  const { headers } = await call('GET', '/.well-known/jwks.json')
  const etag = String(headers.etag)
  t.match(etag, /^"[A-Za-z0-9_-]+"$/)
  for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const again = await call('GET', '/.well-known/jwks.json', { headers: { 'if-none-match': tag } })
    t.match([again.statusCode, again.body, again.headers['etag'], again.headers['cache-control']], [304, '', etag, headers['cache-control']], tag)
  }
  for (const tag of ['"other"', etag.slice(1, -1), '', 'W/']) t.equal((await call('GET', '/.well-known/jwks.json', { headers: { 'if-none-match': tag } })).statusCode, 200, tag)
  t.equal((await (await anotherNode()).call('GET', '/.well-known/jwks.json')).headers['etag'], etag, 'every node has the same')
})

t.test('the headers that never change are set in one assignment, in the place where Fastify keeps them', async t => {
  const app = Fastify()
  app.get('/', async (_request, reply) => {
    reply.headers = () => { throw new Error('one by one: Fastify keeps them elsewhere now') }
    startHeaders(reply, { 'x-fixed': 'yes' })
    reply.header('X-Other', 'too')
    return {}
  })
  for (const path of ['/', '/?again']) t.match(await app.inject(path), { statusCode: 200, headers: { 'x-fixed': 'yes', 'x-other': 'too' } })
  const kept: object[] = []
  startHeaders({ headers: (headers: object) => { kept.push(headers) } } as unknown as FastifyReply, { 'x-fixed': 'yes' })
  t.strictSame(kept, [{ 'x-fixed': 'yes' }], 'and in its way where it does')
})
