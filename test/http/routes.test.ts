import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { contract } from '../helpers/contract.ts'
import { listening, request } from '../helpers/socket.ts'
import { world } from '../helpers/world.ts'

/** Everything that answers without a token. A new line here is a decision. */
const PUBLIC = [
  'GET /.well-known/jwks.json', 'GET /.well-known/oauth-authorization-server', 'GET /.well-known/openid-configuration', 'GET /v1/keys/{kid}.pem',
  'GET /v1/revocations', 'GET /v1/revocations/stream',
  'GET /livez', 'GET /readyz', 'GET /readyz/full',
  'POST /v1/auth/register', 'POST /v1/auth/login',
  'POST /v1/email-verification', 'POST /v1/email-verification/confirm', 'POST /v1/password-reset', 'POST /v1/password-reset/confirm', 'POST /v1/email-change/confirm',
]
/** These want a refresh token, or end nothing without one. */
const BY_REFRESH_TOKEN = ['POST /v1/auth/refresh', 'POST /v1/auth/logout']

/** These want a client, or a bearer where the contract says so; they answer in the words of OAuth. */
const BY_CLIENT = ['POST /oauth2/token', 'POST /oauth2/introspect']
/** The holder of the token in the form may end it. */
const BY_TOKEN_HOLDER = ['POST /oauth2/revoke']
const LISTED = [...PUBLIC, ...BY_REFRESH_TOKEN, ...BY_CLIENT, ...BY_TOKEN_HOLDER]
/** What each of the others takes, so that a refusal is for who asks and not for how. */
const FORMS: Record<string, string> = { '/oauth2/token': 'grant_type=client_credentials', '/oauth2/introspect': 'token=x', '/oauth2/revoke': 'token=x' }
const isOauth = (path: string) => path.startsWith('/oauth2/')

const operations = Object.entries(contract.paths).flatMap(([path, methods]) => Object.keys(methods).map(method => `${method.toUpperCase()} ${path}`))
const guarded = operations.filter(operation => !LISTED.includes(operation))
const concrete = (path: string) => path.replaceAll(/\{[^}]+\}/g, 'x')

t.test('without a token every route answers 401, but for those on the written list', async t => {
  const { call } = await world(t)
  t.strictSame(LISTED.filter(operation => !operations.includes(operation)), [], 'the list names routes that exist')
  t.ok(guarded.length >= 2)
  for (const operation of operations) {
    const [method, path] = operation.split(' ') as [string, string]
    // A cursor that is none: an open stream would never answer.
    const answer = await call(method, concrete(path), method === 'GET' ? { headers: { 'last-event-id': 'x' } } : isOauth(path) ? { body: FORMS[path], headers: { 'content-type': 'application/x-www-form-urlencoded' } } : { body: {} })
    const refused = answer.statusCode === 401 && answer.json().code === 'invalid_token'
    t.equal(refused, guarded.includes(operation), `${operation} answered ${answer.statusCode}`)
    const refusedAsClient = answer.statusCode === 401 && answer.json().error === 'invalid_client'
    t.equal(refusedAsClient, BY_CLIENT.includes(operation), `${operation} answered ${answer.statusCode}`)
    const { security } = contract.paths[path]![method.toLowerCase()]!
    t.equal(JSON.stringify(security) === '[{"accessToken":[]}]', guarded.includes(operation), `${operation} says so in the contract`)
    t.equal(JSON.stringify(security).includes('clientSecret'), isOauth(path), `${operation} names client authentication`)
    const head = await call('HEAD', concrete(path))
    if (guarded.includes(operation) && method === 'GET') t.equal(head.statusCode, 401, `HEAD ${path}`)
  }
  t.match((await call('POST', '/v1/auth/refresh')).json(), { status: 401, code: 'no_session' })
})

t.test('no route exists that the contract does not show, but the contract and its page, and the pages that links lead to where there is no app', async t => {
  const { app } = await world(t)
  const { app: production } = await world(t, { DOCS: 'false', APP_URL: 'https://app.example' })
  for (const page of ['/docs', '/verify-email', '/reset-password', '/confirm-email-change']) t.ok(pathsOf(app).includes(page))
  const shown = Object.keys(contract.paths).map(path => path.replaceAll(/\{([^}]+)\}/g, ':$1'))
  t.strictSame([...new Set(pathsOf(production))].sort(), shown.sort(), 'and in production not even those')
})

/** Every path with a handler, from the tree that the router prints. */
function pathsOf (app: FastifyInstance): string[] {
  const above: string[] = []
  return app.printRoutes({ commonPrefix: false }).split('\n').flatMap(line => {
    const [, indent, segment, methods] = /^([│ ]*)[├└]── (\S+)(?: \((.+)\))?$/.exec(line) ?? []
    if (indent === undefined) return []
    above[indent.length / 4] = segment!
    return methods && segment !== '*' ? [above.slice(0, indent.length / 4 + 1).join('')] : []
  })
}

/** The paths of the contract that this is one of: what stands for a parameter may be anything without a slash, also nothing. */
const spelledLike = (path: string) => Object.keys(contract.paths).filter(each => new RegExp(`^${each.replaceAll('.', '\\.').replaceAll(/\{[^}]+\}/g, '[^/]*')}$`).test(path))

t.test('another spelling of a guarded path is no way around its guard', async t => {
  const { app } = await world(t)
  const { raw } = await listening(t, { app })
  for (const [method, path] of guarded.map(operation => operation.split(' ') as [string, string])) {
    const last = path.split('/').at(-1)!
    const encoded = `%${last.charCodeAt(0).toString(16)}${last.slice(1)}`
    const spellings = [
      path, `/${path}`, `${path}/`, `${path}//`, `${path}/.`, `${path}/..${path}`, `/livez/..${path}`, `/livez/%2e%2e${path}`, `/livez%2f..${path}`, `/.${path}`, `${path};`, `${path};x=1`, `${path};/livez`,
      `${path}%00`, `${path}%20`, `${path}%2f`, `${path}%2F..%2Flivez`, `${path}.json`, `${path}.pem`, `${path}?`, `${path}?a=/livez`, `${path}#/livez`, `${path}%3f`, path.toUpperCase(), path.replace('/v1', '/V1'),
      path.replace('/v1/', '/v1//'), path.replaceAll('/', '%2f'), path.replaceAll('/', '\\'), path.replace(last, encoded), `http://evil.example${path}`, `http://127.0.0.1/livez/..${path}`, `/livez?x=${path}`.replace('/livez', path), `*${path}`,
    ]
    for (const spelling of spellings) {
      const answer = await raw(request(method, spelling, 'X-Original-URL: /livez', 'X-Rewrite-URL: /livez', 'X-Forwarded-Prefix: /livez', 'X-HTTP-Method-Override: HEAD'))
      const others = spelledLike(spelling.split(/[?#]/, 1)[0]!).filter(other => other !== path)
      const expected = others.length > 0 && others.every(other => !(method.toLowerCase() in contract.paths[other]!)) ? [405] : [400, 401, 404]
      t.ok(expected.includes(answer.statusCode), `${answer.statusCode} for ${method} ${spelling}`)
    }
    t.ok(spellings.length >= 10)
  }
})

t.test('a known path with another method is 405 and names its methods; an unknown path is 404 with any', async t => {
  const { app, call, sql, signUp } = await world(t)
  const { raw } = await listening(t, { app })
  await signUp()
  for (const [path, methods] of Object.entries(contract.paths)) {
    const known = Object.keys(methods).map(method => method.toUpperCase())
    const allow = [...known, ...known.includes('GET') ? ['HEAD'] : []].sort()
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'].filter(method => !allow.includes(method))) {
      const answer = await call(method, concrete(path), { headers: { 'content-type': 'application/json' }, ...(method !== 'HEAD' && method !== 'GET' && { body: '{"email":' }) })
      t.match([answer.statusCode, answer.headers['allow'], answer.headers['content-type']], [405, allow.join(', '), isOauth(path) ? /application\/json/ : /problem/], `${method} ${path}`)
      if (method !== 'HEAD') t.equal(answer.json()[isOauth(path) ? 'error' : 'code'], isOauth(path) ? 'invalid_request' : 'method_not_allowed')
    }
    for (const method of ['TRACE', 'PROPFIND', 'SEARCH', 'LINK']) {
      const answer = await raw(request(method, concrete(path)))
      t.ok([400, 404, 405].includes(answer.statusCode), `${method} ${path} is ${answer.statusCode}`)
      t.match(JSON.parse(answer.body), isOauth(path) && answer.body.includes('error') ? { error: 'invalid_request' } : { code: /not_found|malformed_request|method_not_allowed/ })
    }
  }
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']) {
    const answer = await call(method, '/v1/nothing', ['POST', 'PUT', 'PATCH'].includes(method) ? { body: {} } : {})
    t.equal(answer.statusCode, 404, method)
  }
  t.strictSame(await sql('SELECT count(*)::int AS users, (SELECT count(*)::int FROM revocation) AS revoked FROM users'), [{ users: 1, revoked: 0 }])
})

t.test('a GET or HEAD never does what the POST of that name does', async t => {
  const { call, signIn, refresh, sql } = await world(t)
  const { refresh_token: token, access_token: access } = await signIn()
  for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE']) {
    for (const path of ['/v1/auth/refresh', '/v1/auth/logout', '/v1/auth/login', '/v1/auth/register']) {
      const answer = await call(method, `${path}?refresh_token=${token}&_method=POST`, { cookies: { '__Host-rt': token }, bearer: access, headers: { 'x-http-method-override': 'POST' } })
      t.equal(answer.statusCode, 405, `${method} ${path}`)
      t.equal(answer.headers['set-cookie'], undefined)
    }
  }
  t.strictSame(await sql('SELECT count(*)::int AS spent FROM refresh_spent'), [{ spent: 0 }])
  t.equal((await refresh(token)).statusCode, 200)
})
