import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import type { LightMyRequestResponse } from 'fastify'
import { GRANT, newClient, post, tokenOf } from '../helpers/oauth.ts'
import { listening, request } from '../helpers/socket.ts'
import { world } from '../helpers/world.ts'

const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' }
const ENDPOINTS = ['/oauth2/token', '/oauth2/introspect', '/oauth2/revoke']
type Answer = Pick<LightMyRequestResponse, 'statusCode' | 'headers' | 'body'>

/** RFC 6749 §5.2, and no member more; in characters that its grammar has; never kept by a cache. */
function isOauthError (t: Test, { statusCode, headers, body }: Answer, [status, error]: [number, string], name: string): void {
  const parsed = JSON.parse(body)
  t.strictSame([statusCode, parsed.error, Object.keys(parsed)], [status, error, ['error', 'error_description']], name)
  t.match(parsed.error_description, /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/, `${name}: description`)
  t.match(headers, { 'content-type': /^application\/json/, 'cache-control': 'no-store' }, `${name}: headers`)
  t.ok(headers['x-request-id'], `${name}: has a request id`)
}

t.test('a body that is no form is refused in the words of OAuth, whatever it calls itself', async t => {
  const w = await world(t)
  const client = await newClient(w)
  const { raw } = await listening(t, w)
  for (const url of ENDPOINTS) {
    for (const [type, body] of [['application/json', JSON.stringify({ ...GRANT, token: 'x' })], ['application/json', '{"a":'], ['text/plain', 'token=x'], ['multipart/form-data; boundary=x', '--x--'], ['application/x-www-form-urlencodedx', 'token=x'], ['application/*', 'token=x'], ['__proto__', 'token=x']] as const) {
      isOauthError(t, await post(w, url, body, { basic: client, headers: { 'content-type': type } }), [415, 'invalid_request'], `${url} ${type}`)
    }
    isOauthError(t, await w.call('POST', url), [400, 'invalid_request'], `${url} without a body`)
    isOauthError(t, await post(w, url, '', { basic: client }), [400, 'invalid_request'], `${url} with an empty one`)
    isOauthError(t, await post(w, url, `token=x&grant_type=x&filler=${'x'.repeat(65_536)}`, { basic: client }), [413, 'invalid_request'], `${url} above 64 kB`)
  }
  const chunks = await raw(request('POST', ENDPOINTS[1]!, 'Content-Type: application/x-www-form-urlencoded', 'Transfer-Encoding: chunked'), `${(70_000).toString(16)}\r\n${'a'.repeat(70_000)}\r\n0\r\n\r\n`)
  isOauthError(t, chunks, [413, 'invalid_request'], 'in chunks')
  for (const type of ['application/x-www-form-urlencoded;charset=utf-8', 'APPLICATION/X-WWW-FORM-URLENCODED']) {
    t.equal((await post(w, ENDPOINTS[0]!, GRANT, { basic: client, headers: { 'content-type': type } })).statusCode, 200, type)
  }
})

t.test('a form that two readers would read differently is refused', async t => {
  const w = await world(t)
  const client = await newClient(w)
  const token = await tokenOf(w, client)
  const twice: Record<string, string> = {
    'the grant twice': 'grant_type=client_credentials&grant_type=client_credentials',
    'a scope twice': 'grant_type=client_credentials&scope=things:read&scope=things:write',
    'an unknown one twice': 'grant_type=client_credentials&x=1&x=2',
    'once by another spelling': 'grant_type=client_credentials&%67rant_type=password',
    'once without a value': 'grant_type=client_credentials&grant_type',
    'NUL in a value': 'grant_type=client_credentials&scope=%00',
    'NUL in a name': 'grant_type=client_credentials&a%00=1',
    'bad UTF-8': 'grant_type=client_credentials&scope=%ff',
    'an overlong form': 'grant_type=client_credentials&scope=%c0%80',
    'half a surrogate': 'grant_type=client_credentials&scope=%ed%a0%80',
    'a percent sign alone': 'grant_type=client_credentials&scope=%',
    'a percent sign of nothing': 'grant_type=client_credentials&scope=%zz',
  }
  for (const [name, form] of Object.entries(twice)) isOauthError(t, await post(w, '/oauth2/token', form, { basic: client }), [400, 'invalid_request'], name)
  const raw = await w.app.inject({ method: 'POST', url: '/oauth2/token', headers: FORM_TYPE, payload: Buffer.concat([Buffer.from('grant_type=x&scope='), Buffer.from([0xff])]) })
  isOauthError(t, raw, [400, 'invalid_request'], 'raw bytes that are not UTF-8')

  const fine = ['grant_type=client_credentials&&', '&grant_type=client_credentials', 'grant_type=client_credentials&scope=&resource=', 'grant_type=client%5Fcredentials', 'grant_type=client_credentials&audience=x&foo=bar']
  for (const form of fine) t.equal((await post(w, '/oauth2/token', form, { basic: client })).statusCode, 200, form)
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '__proto__[scope]', 'constructor.prototype.scope', 'scope[]', 'client_id[$ne]']) {
    t.equal((await post(w, '/oauth2/token', `grant_type=client_credentials&${encodeURIComponent(name)}=account`, { basic: client })).json().scope, 'things:read things:write', `${name} is one more unknown parameter`)
  }
  t.equal(({} as Record<string, unknown>)['scope'], undefined, 'no prototype was touched')
  t.equal((await post(w, '/oauth2/introspect', `token=${token}&token_type_hint=access_token`, { basic: client })).json().active, true)
})

t.test('five thousand parameters, or sixty-four kilobytes of them, are answered as quickly as one', async t => {
  const w = await world(t)
  const client = await newClient(w)
  const forms = {
    '5,000 names': `grant_type=client_credentials&${Array.from({ length: 5_000 }, (_, at) => `k${at}=1`).join('&')}`,
    '5,000 numbers': `grant_type=client_credentials&${Array.from({ length: 5_000 }, (_, at) => `${at}=1`).join('&')}`,
    '60,000 separators': `grant_type=client_credentials${'&'.repeat(60_000)}`,
    '20,000 encoded bytes': `grant_type=client_credentials&x=${'%41'.repeat(20_000)}`,
    '60,000 plus signs': `grant_type=client_credentials&x=${'+'.repeat(60_000)}`,
    'a scope of 60,000': `grant_type=client_credentials&scope=${'a+'.repeat(30_000)}`,
    '60,000 dots': `token=${'.'.repeat(60_000)}&grant_type=client_credentials`,
    'an assertion of 60,000': `grant_type=client_credentials&client_assertion_type=x&client_assertion=${'e'.repeat(60_000)}`,
  }
  for (const [name, form] of Object.entries(forms)) {
    for (const url of ENDPOINTS) {
      const began = performance.now()
      const { statusCode } = await post(w, url, form, { basic: client })
      t.ok(statusCode < 500 && performance.now() - began < 500, `${name} at ${url}: ${statusCode} after ${Math.round(performance.now() - began)} ms`)
    }
  }
})

t.test('what is in the URL is not read, and refused so that nobody goes on sending it', async t => {
  const w = await world(t)
  const client = await newClient(w)
  const token = await tokenOf(w, client)
  for (const [url, query] of [['/oauth2/token', `client_id=${client.id}&client_secret=${client.secret}&grant_type=client_credentials`], ['/oauth2/introspect', `token=${token}`], ['/oauth2/revoke', `token=${token}`], ['/oauth2/introspect', `access_token=${token}`], ['/oauth2/revoke', 'x']] as const) {
    isOauthError(t, await post(w, `${url}?${query}`, { ...GRANT, token }, { basic: client }), [400, 'invalid_request'], `${url} and ${query.slice(0, 12)}`)
  }
  t.equal((await w.verify(token)).statusCode, 200, 'nothing was ended')
})

t.test('what does not exist under /oauth2, and what cannot be read, has the form of OAuth too', async t => {
  const w = await world(t)
  const { raw } = await listening(t, w)
  for (const url of ['/oauth2/x', '/oauth2/token/', '/oauth2/authorize', '/oauth2/token/x', '/oauth2/', '/oauth2/Token']) {
    for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'PATCH'] as const) isOauthError(t, await w.app.inject({ method, url }), [404, 'invalid_request'], `${method} ${url}`)
  }
  for (const [type, body] of [['application/json', '{'], ['text/plain', 'x'], ['application/x-www-form-urlencoded', 'a=%']] as const) {
    const answer = await w.app.inject({ method: 'POST', url: '/oauth2/x', headers: { 'content-type': type }, payload: body })
    t.ok([400, 404, 415].includes(answer.statusCode), `a ${type} to nowhere is ${answer.statusCode}`)
    isOauthError(t, answer, [answer.statusCode, 'invalid_request'], `a ${type} to nowhere`)
  }
  for (const url of ENDPOINTS) {
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH'] as const) {
      const answer = await w.app.inject({ method, url })
      isOauthError(t, answer, [405, 'invalid_request'], `${method} ${url}`)
      t.equal(answer.headers['allow'], 'POST')
    }
  }
  isOauthError(t, await raw(request('POST', '/oauth2/%zz')), [400, 'invalid_request'], 'a URL that is none')
  t.match((await w.app.inject('/oauth2x')).json(), { code: 'not_found' }, 'and beside it problems are problems')
})

t.test('too many requests, an outage and a fault of ours are told apart, and say no more than that', async t => {
  const w = await world(t, { RATE_LIMIT_SCALE: '1' })
  const client = await newClient(w)
  await w.sql('ALTER TABLE client RENAME TO hidden')
  const broken = await w.app.inject({ method: 'POST', url: '/oauth2/token', headers: { ...FORM_TYPE, authorization: `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}` }, payload: 'grant_type=client_credentials' })
  isOauthError(t, broken, [500, 'server_error'], 'a fault')
  t.notMatch(broken.body, /client|relation|SELECT|hidden/i)
  let last: LightMyRequestResponse | undefined
  for (let sent = 0; sent < 300; sent++) last = await post(w, '/oauth2/revoke', { token: 'x' })
  isOauthError(t, last!, [429, 'temporarily_unavailable'], 'the limit')
  t.ok(Number(last!.headers['retry-after']) > 0)
  t.equal((await post(w, '/oauth2/introspect', { token: 'x' }, { basic: client })).statusCode, 200, 'introspection has none')
})

t.test('no answer or log line repeats a secret, an assertion or a token', async t => {
  const w = await world(t)
  const client = await newClient(w)
  const token = await tokenOf(w, client)
  const answers = [
    await post(w, '/oauth2/token', { ...GRANT, scope: 'x' }, { basic: client }), await post(w, '/oauth2/token', { ...GRANT, client_id: client.id, client_secret: `${client.secret}x` }), await post(w, '/oauth2/revoke', { token }, { basic: client }),
    await post(w, '/oauth2/introspect', `token=${token}&token=${token}`, { basic: client }), await post(w, '/oauth2/token', { client_id: client.id, client_secret: client.secret, client_assertion: token }),
  ]
  const seen = JSON.stringify([answers.map(({ body, headers }) => [body, headers]), w.logLines()])
  for (const secret of [client.secret, token, token.split('.')[2]!]) t.notOk(seen.includes(secret))
  t.notOk(readFileSync('openapi.yaml', 'utf8').includes(client.secret))
})
