import type { Test } from 'tap'
import { raw, request } from './gateway.ts'
import { claimsOf, identity, passed, type Protected } from './scene.ts'
import { headerOf, leavesPublic, type Arrival } from './upstream.ts'

const VICTIM = '01930f4e-8a3b-7c2d-9e1f-0a1b2c3d4e5f'
const NAMES = ['Subject', 'Session', 'Scope', 'Roles']

/** Everything that reads like one of our headers to somebody. */
const spellings = (name: string): string[] => [
  `X-Auth-${name}`, `x-auth-${name.toLowerCase()}`, `X-AUTH-${name.toUpperCase()}`, `X_Auth_${name}`, `X-Auth_${name}`, `X_Auth-${name}`, `x_auth_${name.toLowerCase()}`, `X.Auth.${name}`, `X-Auth.${name}`,
]

/** A token is random letters, and some have "LiE" among theirs. */
const TOKEN = /eyJ[\w-]+\.[\w-]+\.[\w-]+/g
const lied = ({ headers }: Arrival): unknown[] => headers.filter(([name, value]) => !/^x-forwarded-(uri|method)$/i.test(name) && /lie|203\.0\.113\.66|gopher/i.test(value.replaceAll(TOKEN, '')))

/** Whoever is told to the application is whom the service vouched for, and nobody else. */
export async function letsNothingBeSmuggled (t: Test, p: Protected): Promise<void> {
  const { ask, mine, upstream, gateway } = p
  const claims = claimsOf(p)
  const sane = (status: number, what: string) => t.ok([0, 400, 401, 403, 404, 405, 408, 501, 505].includes(status), `${what}: ${status}`)

  await t.test('headers of ours that a client sends count for nothing, in any spelling, with a token, without and on a public path', async t => {
    const sets = NAMES.flatMap(name => spellings(name).map(spelling => [`${spelling}: ${VICTIM}`]))
    sets.push(NAMES.map(name => `X-Auth-${name}: ${VICTIM}`), [`X-Auth-Subject: ${VICTIM}`, `X-Auth-Subject: ${VICTIM}`], [`X-Auth-Subject: a, ${VICTIM}`], ['X-Auth-Subject:'],
      [`X-Auth-Subject : ${VICTIM}`], ['X-Auth-Other: 1', ` X-Auth-Subject: ${VICTIM}`], [`X-Auth-Subject:\x0b${VICTIM}`], [`X-Auth-Subject\t: ${VICTIM}`], [`\tX-Auth-Subject: ${VICTIM}`], [`X-Other: 1\rX-Auth-Subject: ${VICTIM}`], [`X-Other: 1\nX-Auth-Subject: ${VICTIM}`])
    const timeoutMs = 1_500 // some wait for more after a bare CR
    for (const headers of sets) {
      const what = JSON.stringify(headers)
      const given = await ask('/private', { bearer: mine.access_token, headers, timeoutMs })
      const [arrival] = upstream.arrivals()
      if (arrival) t.strictSame(identity(arrival), { subject: claims.sub, session: claims.sid, scope: claims.scope, roles: '' }, `${what} with a token`)
      else sane(given.status, `${what} with a token`)

      sane((await ask('/private', { headers, timeoutMs })).status, `${what} without one`)
      t.strictSame(upstream.arrivals(), [], `${what} without one`)

      const open = await ask('/public/page', { headers, timeoutMs })
      const [visit] = upstream.arrivals()
      if (visit) t.strictSame(NAMES.map(name => headerOf(visit, `X-Auth-${name}`) || ''), ['', '', '', ''], `${what} on a public path`, visit)
      else sane(open.status, `${what} on a public path`)
    }
  })

  await t.test('a client cannot have the proof of who it is taken away on the last stretch', async t => {
    for (const connection of ['X-Auth-Subject', 'close, X-Auth-Subject, x-auth-roles, X-Auth-Scope, X-Auth-Session', 'keep-alive, x-auth-subject', 'Authorization', 'X-Forwarded-For']) {
      const answer = await raw(gateway.port, ['GET /private HTTP/1.1', 'Host: api.example', `Connection: ${connection}`, 'Connection: close', `Authorization: Bearer ${mine.access_token}`])
      const arrival = passed(t, p, answer, claims, connection)
      t.notMatch(headerOf(arrival, 'Connection') ?? '', /x-|authorization/i, 'nor is the next one told to')
    }
  })

  await t.test('headers by which applications are led elsewhere do not arrive', async t => {
    const lies = ['X-Original-URL: /private/lie', 'X-Rewrite-URL: /private/lie', 'X-Forwarded-For: 203.0.113.66', 'X-Forwarded-Host: lie.example', 'X-Forwarded-Proto: gopher', 'X-Forwarded-Prefix: /lie', 'Forwarded: for=203.0.113.66;host=lie.example',
      'X-Forwarded-Uri: /public/lie', 'X-Forwarded-Method: LIE']
    for (const [target, options] of [['/private', { bearer: mine.access_token }], ['/public/page', {}]] as const) {
      await ask(target, { ...options, headers: lies })
      const arrivals = upstream.arrivals()
      t.equal(arrivals.length, 1)
      t.strictSame(lied(arrivals[0]!), [], target)
      t.strictSame([arrivals[0]!.method, arrivals[0]!.url], ['GET', target])
      await ask(target, { ...options, headers: ['X_Original_URL: /private/lie', 'X_Forwarded_For: 203.0.113.66'] })
      for (const arrival of upstream.arrivals()) t.strictSame(lied(arrival), [], `${target}, with underscores`)
    }
    t.not((await ask('/private', { headers: [...lies, 'X-Forwarded-Uri: /public/page', 'X-Original-URI: /public/page', 'X-HTTP-Method-Override: OPTIONS'] })).status, 200)
    t.strictSame(upstream.arrivals(), [])
  })

  await t.test('a connection is not handed over to another protocol', async t => {
    for (const [target, headers] of [['/public/page', []], ['/private', [`Authorization: Bearer ${mine.access_token}`]]] as const) {
      await raw(gateway.port, [`GET ${target} HTTP/1.1`, 'Host: api.example', 'Connection: Upgrade, HTTP2-Settings, close', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA', ...headers], '', 5_000)
      for (const arrival of upstream.arrivals()) t.equal(headerOf(arrival, 'Upgrade') ?? '', '', target, arrival)
    }
  })

  await t.test('no spelling of a path leads past the check', async t => {
    const targets = [
      '/private', '//private', '///private', '/./private', '/public/../private', '/public/%2e%2e/private', '/public/%2E%2E/private', '/public/.%2e/private', '/public/%2e./private', '/public/..%2fprivate', '/public/..%2Fprivate', '/public/%2e%2e%2fprivate',
      '/public%2f..%2fprivate', '/public%2fpage', '/%2e%2e/private', '/public/..;/private', '/public/..;a=b/private', '/public;/../private', '/public/;/../private', '/public/page;/../../private', '/public/..\\private', '/public/..%5cprivate', '/public\\..\\private',
      '/public//../private', '/public/%252e%252e/private', '/public/%252e%252e%252fprivate', '/public/..%00/private', '/public/%00../private', '/public/page%00', '/public/page%0a', '/public/.../private', '/public/..', '/public/.', '/public/', '/public', '/publicx', '/PUBLIC/page', '/Private', '/%70rivate',
      '/public/page#/../../private', '/public/page?/../../private', '/public/%c0%ae%c0%ae/private', '/public/..%c0%afprivate', '/public/%u002e%u002e/private', '/private/../public/page', '/private/%2e%2e/public/page', '/private/..%2fpublic/page', '/private//../public/page', '/private/..;/public/page', '/private;/../public/page',
      '/public/\x7f/../private', '/public/page/../../private', '/public/./../private', '/_stateless_auth', '/v1/auth/verify', '/v1/me',
      'http://api.example/private', 'http://api.example/public/../private', 'http://api.example/public/%2e%2e/private', 'http://public/private', 'http://api.example//private', 'https://api.example/private', 'http:/public/page', 'private', '*', '?/public/page', '/?/public/page', '/private?/public/page', '/private#/public/page',
      '/public/a/../..//private', '/..%2f..%2fprivate', '/public/page/%2e%2e/%2e%2e/private', '.', '..', '/public/../../../private', '/private/x.css', '/private/x;.js', '/private%20', '/private/', '/private%09',
    ]
    for (const target of targets) {
      for (const method of target === '*' ? ['OPTIONS'] : ['GET', 'POST']) {
        const { status } = await ask(target, { method, ...(method === 'POST' && { headers: { 'content-length': '0' } }) })
        for (const arrival of upstream.arrivals()) t.notOk(leavesPublic(arrival.url), `${method} ${target} arrived as ${arrival.url}`, { status })
      }
    }
    for (const lines of [['GET /public/page HTTP/1.0'], ['GET /private HTTP/1.0'], ['GET /private'], ['get /private HTTP/1.1', 'Host: api.example'], ['GET  /private HTTP/1.1', 'Host: api.example'], ['GET /public/page /private HTTP/1.1', 'Host: api.example'],
      ['CONNECT api.example:443 HTTP/1.1', 'Host: api.example:443'], ['CONNECT /private HTTP/1.1', 'Host: api.example'], ['GET /private HTTP/1.1', 'Host: public', 'Host: api.example'], ['GET /private HTTP/1.1'], ['GET /private HTTP/2.0', 'Host: api.example'], ['PRI * HTTP/2.0']]) {
      await raw(gateway.port, [...lines, ...(lines.length > 1 ? ['Connection: close'] : [])], '', 3_000)
      for (const arrival of upstream.arrivals()) t.notOk(leavesPublic(arrival.url), JSON.stringify(lines), arrival)
    }
    for (const target of ['/public/page', '/public/css/site.min.css', '/public/a_b-c/d.e?x=%2e%2e/']) {
      t.equal((await ask(target)).status, 200, target)
      t.strictSame(upstream.arrivals().map(arrival => arrival.url), [target], 'control: a public path needs no token')
    }
  })

  await t.test('a request hidden in the body of another does not get in', async t => {
    const hidden = `GET /private HTTP/1.1\r\nHost: api.example\r\nX-Auth-Subject: ${VICTIM}\r\n\r\n`
    for (const headers of [
      [`Content-Length: ${hidden.length}`], [`Content-Length: ${hidden.length + 5}`, 'Transfer-Encoding: chunked'], [`Content-Length: ${hidden.length}`, 'Content-Length: 0'], ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], ['Transfer-Encoding: xchunked'], ['Transfer-Encoding : chunked'], ['Transfer-Encoding:\x0bchunked'], ['Content-Length: +5'], ['Content_Length: 5'], ['Transfer_Encoding: chunked'],
    ]) {
      for (const target of ['/public/page', '/private']) {
        await raw(gateway.port, [`POST ${target} HTTP/1.1`, 'Host: api.example', ...headers, 'Connection: close'], `0\r\n\r\n${hidden}`, 3_000)
        for (const arrival of upstream.arrivals()) t.notOk(arrival.method === 'BROKEN' || leavesPublic(arrival.url), JSON.stringify(headers), arrival)
      }
    }
    // On one connection each request is judged for itself.
    const answer = await raw(gateway.port, [...request('GET', '/private').filter(line => !line.startsWith('Connection')), `Authorization: Bearer ${mine.access_token}`], `${request('GET', '/private/next').join('\r\n')}\r\n\r\n`)
    t.match(answer.body, /HTTP\/1\.1 401 /)
    t.strictSame(upstream.arrivals().map(arrival => arrival.url), ['/private'])
  })
}
