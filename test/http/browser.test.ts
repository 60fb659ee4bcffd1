import type { LightMyRequestResponse } from 'fastify'
import t from 'tap'
import { forgeFrom } from '../helpers/forge.ts'
import { PASSWORD, world, type World } from '../helpers/world.ts'

const OWN = 'https://auth.example.com'
const APP = 'https://app.example.com'
const ENV = { PUBLIC_URL: OWN, CORS_ORIGINS: `${APP},https://other.example.org:8443` }
/** What looks like an allowed origin and is none. */
const STRANGERS = ['https://evil.example', 'null', 'https://app.example.com.evil.example', 'https://evilapp.example.com', 'https://sub.app.example.com', 'https://example.com', 'http://app.example.com', 'https://app.example.com:444',
  'https://app.example.com/', 'https://app.example.com@evil.example', 'https://app.example.com, https://evil.example', 'https://other.example.org', 'http://auth.example.com', 'https://AUTH.example.com.', 'https://auth.example.com.evil.example', 'file://', '*', '', ' ', 'https://app.example.com%00']

const setCookies = (answer: LightMyRequestResponse): string[] => [answer.headers['set-cookie'] ?? []].flat()
const cookieOf = (answer: LightMyRequestResponse): string => /^__Host-rt=([^;]+);/.exec(setCookies(answer)[0] ?? '')?.[1] ?? ''
const attributesOf = (cookie: string): string[] => cookie.split('; ').slice(1).map(attribute => attribute.replace(/=\d{2,}$/, '')).sort()

async function browserSignIn ({ call, signUp }: World, more: object = {}) {
  const { email } = await signUp()
  const answer = await call('POST', '/v1/auth/login', { body: { email, password: PASSWORD, ...more } })
  return { email, answer, cookies: { '__Host-rt': cookieOf(answer) } }
}

t.test('the refresh cookie is one that scripts, other sites and sibling domains cannot read or plant', async t => {
  const w = await world(t, ENV)
  const { answer, cookies } = await browserSignIn(w)
  t.strictSame(setCookies(answer).map(cookie => cookie.split('=')[0]), ['__Host-rt', '__Host-did'], 'the session, and the browser that its owner has used')
  for (const cookie of setCookies(answer)) t.strictSame(attributesOf(cookie), ['HttpOnly', 'Max-Age', 'Path=/', 'SameSite=Strict', 'Secure'], 'and no Domain')
  const maxAge = Number(/Max-Age=(\d+)/.exec(setCookies(answer)[0]!)![1])
  t.ok(maxAge <= w.config.refreshTokenTtlSeconds && maxAge > w.config.refreshTokenTtlSeconds - 60, 'it lives as long as the token')
  t.ok(setCookies(answer)[0]!.split(';')[0]!.length < 4_096)
  t.notOk('refresh_token' in answer.json(), 'it is in the cookie only')
  t.notMatch(answer.body, cookies['__Host-rt'])

  const next = await w.call('POST', '/v1/auth/refresh', { cookies })
  t.equal(next.statusCode, 200)
  t.strictSame(setCookies(next).map(attributesOf), [attributesOf(setCookies(answer)[0]!)], 'a refresh sets the same')
  t.notOk('refresh_token' in next.json())

  const inBody = await w.call('POST', '/v1/auth/login', { body: { email: answer.json().user.email, password: PASSWORD, refresh: 'body' } })
  t.strictSame(setCookies(inBody).map(cookie => cookie.split('=')[0]), ['__Host-did'], 'body mode sets no cookie that holds a session')
  const both = await w.call('POST', '/v1/auth/refresh', { cookies, body: { refresh_token: inBody.json().refresh_token } })
  t.ok(both.json().refresh_token, 'a token in the body goes before the cookie, and its answer stays in the body')
  t.strictSame(setCookies(both), [])
  for (const name of ['__host-rt', 'rt', '__Secure-rt', '__Host-rt ']) t.match((await w.call('POST', '/v1/auth/refresh', { headers: { cookie: `${name}x=${cookies['__Host-rt']}` } })).json().code, 'no_session', name)
})

t.test('a browser told to forget the session on closing is told so at every refresh', async t => {
  const w = await world(t, ENV)
  const { answer, cookies } = await browserSignIn(w, { remember: false })
  t.notMatch(setCookies(answer)[0], /max-age|expires/i)
  let jar = cookies
  for (const round of [1, 2, 3]) {
    const next = await w.call('POST', '/v1/auth/refresh', { cookies: jar })
    t.equal(next.statusCode, 200)
    t.notMatch(setCookies(next)[0], /max-age|expires/i, `refresh ${round}`)
    jar = { '__Host-rt': cookieOf(next) }
  }
  const remembered = await browserSignIn(w, { remember: true })
  t.match(setCookies(await w.call('POST', '/v1/auth/refresh', { cookies: remembered.cookies }))[0], /Max-Age=\d+/)
})

t.test('a page of another site can neither sign its visitor in, nor use the cookie, nor sign the visitor out', async t => {
  const w = await world(t, ENV)
  const { email, cookies, answer } = await browserSignIn(w)
  const foreign: Record<string, string>[] = [
    ...STRANGERS.map(origin => ({ origin })),
    ...STRANGERS.slice(0, 3).map(origin => ({ origin, 'sec-fetch-site': 'same-origin' })),
    { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, { 'sec-fetch-site': '' }, { 'sec-fetch-site': 'SAME-ORIGIN, cross-site' },
  ]
  const bodies: Record<string, { body?: unknown }> = { '/v1/auth/login': { body: { email, password: PASSWORD } }, '/v1/auth/refresh': {}, '/v1/auth/logout': {} }
  for (const headers of foreign) {
    for (const [url, body] of Object.entries(bodies)) {
      const refused = await w.call('POST', url, { ...body, headers, cookies })
      t.match([refused.statusCode, refused.json().code], [403, 'origin_not_allowed'], `${url} ${JSON.stringify(headers)}`)
      t.strictSame(setCookies(refused), [], 'no cookie is set or cleared')
    }
  }
  for (const type of ['application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'text/plain']) {
    const form = { body: `{"email":"${email}","password":"${PASSWORD}","x":"="}`, headers: { 'content-type': type } }
    for (const url of Object.keys(bodies)) {
      t.equal((await w.call('POST', url, { ...form, cookies, headers: { ...form.headers, origin: 'https://evil.example' } })).statusCode, 403, `a form of ${type} from elsewhere at ${url}`)
      t.equal((await w.call('POST', url, { ...form, cookies })).statusCode, 415, `a form of ${type} at ${url}`)
    }
  }
  t.strictSame(await w.sql('SELECT count(*)::int AS spent FROM refresh_spent'), [{ spent: 0 }], 'nothing was refreshed')
  t.equal((await w.verify(answer.json().access_token)).statusCode, 200, 'and nothing ended')

  for (const headers of [{}, { origin: OWN }, { origin: APP }, { origin: APP, 'sec-fetch-site': 'cross-site' }, { origin: OWN, 'sec-fetch-site': 'same-origin' }, { 'sec-fetch-site': 'same-origin' }, { 'sec-fetch-site': 'none' }]) {
    t.equal((await w.call('POST', '/v1/auth/login', { ...bodies['/v1/auth/login'], headers })).statusCode, 200, `control: ${JSON.stringify(headers)} may`)
    t.equal((await w.call('POST', '/v1/auth/refresh', { cookies, headers })).statusCode, 200)
  }
})

t.test('only the listed origins may read answers with credentials, and none is reflected', async t => {
  const { call } = await world(t, ENV)
  for (const origin of [APP, 'https://other.example.org:8443']) {
    const read = await call('GET', '/v1/me', { headers: { origin } })
    t.match(read.headers, { 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true', vary: /origin/i }, origin)
    const preflight = await call('OPTIONS', '/v1/auth/refresh', { headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' } })
    t.match([preflight.statusCode, preflight.headers], [204, { 'access-control-allow-origin': origin, 'access-control-allow-headers': 'authorization, content-type, idempotency-key', 'access-control-max-age': '600' }])
  }
  for (const origin of STRANGERS) {
    for (const [method, url] of [['GET', '/v1/me'], ['POST', '/v1/auth/refresh'], ['OPTIONS', '/v1/auth/refresh'], ['GET', '/nowhere'], ['GET', '/livez']] as const) {
      const answer = await call(method, url, { headers: { origin, 'access-control-request-method': 'POST' } })
      t.equal(answer.headers['access-control-allow-origin'], undefined, `${method} ${url} from ${origin}`)
      t.match(answer.headers['vary'], /origin/i)
    }
    for (const url of ['/.well-known/jwks.json', '/.well-known/openid-configuration', '/.well-known/oauth-authorization-server']) {
      const { headers } = await call('GET', url, { headers: { origin } })
      t.match([headers['access-control-allow-origin'], headers['access-control-allow-credentials']], ['*', undefined], `${url} is for everybody, without credentials`)
    }
  }
  const corsOf = ({ headers }: LightMyRequestResponse) => Object.fromEntries(Object.entries(headers).filter(([name]) => name === 'vary' || name.startsWith('access-control-')))
  for (const [method, url] of [['GET', '/v1/me'], ['POST', '/v1/auth/refresh'], ['GET', '/nowhere'], ['GET', '/livez'], ['HEAD', '/livez'], ['GET', '/.well-known/jwks.json']] as const) {
    t.strictSame(corsOf(await call(method, url)), corsOf(await call(method, url, { headers: { origin: STRANGERS[0]! } })), `${method} ${url}: who names no origin is a stranger`)
  }
  const { call: callOther } = await world(t)
  t.equal((await callOther('GET', '/v1/me', { headers: { origin: APP } })).headers['access-control-allow-origin'], undefined, 'and by default nobody')
})

t.test('logging out takes back the cookie that was set, attribute by attribute', async t => {
  const w = await world(t, ENV)
  const { answer, cookies } = await browserSignIn(w)
  const gone = await w.call('POST', '/v1/auth/logout', { cookies })
  t.equal(gone.statusCode, 204)
  const lifetime = /^(Max-Age|Expires)/
  t.match(setCookies(gone)[0], /^__Host-rt=; .*(Max-Age=0|Expires=Thu, 01 Jan 1970)/)
  t.strictSame(...[gone, answer].map(from => attributesOf(setCookies(from)[0]!).filter(attribute => !lifetime.test(attribute))) as [string[], string[]])
  const ended = await w.call('POST', '/v1/auth/refresh', { cookies })
  t.equal(ended.json().code, 'session_ended')
  t.strictSame(setCookies(ended), setCookies(gone), 'and so does a refresh that finds it ended')
  t.strictSame(setCookies(await w.call('POST', '/v1/auth/logout')), [], 'without a cookie there is none to take back')
  t.strictSame(setCookies(await w.call('POST', '/v1/auth/refresh')), [])
})

t.test('the losers of a race, a wrong body and a node that could not look never take the cookie away', async t => {
  const w = await world(t, ENV)
  const other = await w.anotherNode()
  const { answer, cookies } = await browserSignIn(w)
  const answers = await Promise.all(Array.from({ length: 10 }, (_, at) => (at % 2 ? w : other).call('POST', '/v1/auth/refresh', { cookies })))
  t.strictSame(answers.map(answer => answer.statusCode), Array(10).fill(200))
  t.equal(new Set(answers.map(cookieOf)).size, 1, 'ten tabs hold one and the same successor')
  t.not(cookieOf(answers[0]!), '')
  const after = { '__Host-rt': cookieOf(answers[0]!) }
  const body = await w.call('POST', '/v1/auth/refresh', { cookies: after, body: { refresh_token: 'wrong' } })
  t.strictSame([body.statusCode, setCookies(body)], [401, []], 'a wrong token in the body says nothing about the cookie')
  const { forge } = forgeFrom(w.ctx, cookies['__Host-rt'])
  for (const attempt of [1, 2]) {
    const unknown = await w.call('POST', '/v1/auth/refresh', { cookies: { '__Host-rt': forge({ header: { kid: `new${attempt}` } }) } })
    t.equal(unknown.statusCode, 503, 'a key of another node that this one has not read yet')
    t.match(unknown.headers['retry-after'], /^[1-9]\d*$/)
    t.strictSame(setCookies(unknown), [])
  }
  t.strictSame(setCookies(await w.call('POST', '/v1/auth/refresh', { cookies: after, body: '{', headers: { 'content-type': 'application/json' } })), [])
  t.equal((await w.call('POST', '/v1/auth/refresh', { cookies: after })).statusCode, 200)
  t.equal((await w.verify(answer.json().access_token)).statusCode, 200)
})

t.test('a cookie planted before sign-in never becomes the session', async t => {
  const w = await world(t, ENV)
  const attacker = await browserSignIn(w)
  const { email } = await w.signUp()
  const answer = await w.call('POST', '/v1/auth/login', { body: { email, password: PASSWORD }, cookies: attacker.cookies })
  t.not(cookieOf(answer), attacker.cookies['__Host-rt'])
  const sid = async (bearer: string) => (await w.call('GET', '/v1/auth/verify', { bearer })).json().sid as string
  t.not(await sid(answer.json().access_token), await sid(attacker.answer.json().access_token), 'a new session')
  const planted = await w.call('POST', '/v1/auth/refresh', { cookies: attacker.cookies })
  t.equal((await w.call('GET', '/v1/me', { bearer: planted.json().access_token })).json().email, attacker.email, 'the planted one is still only the attacker')
  const again = await w.call('POST', '/v1/auth/login', { body: { email, password: PASSWORD }, cookies: { '__Host-rt': cookieOf(answer) } })
  t.not(await sid(again.json().access_token), await sid(answer.json().access_token), 'and each sign-in is a session of its own')
})
