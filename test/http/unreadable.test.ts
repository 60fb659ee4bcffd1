import t from 'tap'
import { listening, request, type RawAnswer } from '../helpers/socket.ts'
import { world } from '../helpers/world.ts'

t.test('what is no readable request is refused in the same form as every other error, and nothing in it is repeated', async t => {
  const { app } = await world(t)
  const { raw } = await listening(t, { app })
  const login = (...headers: string[]) => request('POST', '/v1/auth/login', 'Content-Type: application/json', ...headers)
  const cases: [string, number, string, Promise<RawAnswer>][] = [
    ['headers of 20 kB', 431, 'headers_too_large', raw(request('GET', '/livez', `X-Canary: ${'canary'.repeat(3_500)}`))],
    ['a URL of 20 kB', 431, 'headers_too_large', raw(request('GET', `/canary${'y'.repeat(20_000)}`))],
    ['an unknown verb', 400, 'malformed_request', raw(request('CANARY', '/livez'))],
    ['no HTTP at all', 400, 'malformed_request', raw(['canary'])],
    ['a TLS hello', 400, 'malformed_request', raw([Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])])],
    ['a length and chunks', 400, 'malformed_request', raw(login('Content-Length: 5', 'Transfer-Encoding: chunked'))],
    ['two lengths', 400, 'malformed_request', raw(login('Content-Length: 5', 'Content-Length: 6'))],
    ['a negative length', 400, 'malformed_request', raw(login('Content-Length: -1'))],
    ['chunks that are none', 400, 'malformed_request', raw(login('Transfer-Encoding: chunked'), 'zz\r\n')],
    ['an obfuscated transfer encoding', 400, 'malformed_request', raw(login('Transfer-Encoding: xchunked'), 'zz\r\n')],
    ['a URL that cannot be decoded', 400, 'malformed_request', raw(request('GET', '/canary/%zz'))],
    ['half a UTF-8 letter in a URL', 400, 'malformed_request', raw(request('GET', '/canary/%c3'))],
    ['a parameter that is too long', 400, 'malformed_request', raw(request('GET', `/v1/keys/${'canary'.repeat(40)}.pem`))],
    ['NUL in a URL', 404, 'not_found', raw(request('GET', '/canary%00'))],
  ]
  for (const [name, status, code, answering] of cases) {
    const answer = await answering
    t.equal(answer.statusCode, status, name)
    t.match(JSON.parse(answer.body), { type: 'about:blank', title: /./, status, code, request_id: answer.headers['x-request-id'] }, name)
    t.match(answer.headers, { 'content-type': 'application/problem+json; charset=utf-8', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'content-security-policy': /default-src 'none';frame-ancestors 'none'/ }, name)
    t.notMatch(JSON.stringify(answer), /canary|node|fastify|at \//i, `${name}: nothing is repeated or told`)
  }
})

t.test('a line break, an escape sequence or a forged line in a request stays inside its one log line', async t => {
  const { app, call, logLines } = await world(t)
  const { raw } = await listening(t, { app })
  const before = logLines().length
  const forged = '{"level":"info","msg":"forged"}'
  await raw(request('GET', `/%0d%0a${encodeURIComponent(forged)}%1b[31m`, `User-Agent: ${forged}`, 'X-Request-Id: chosen'))
  t.equal((await raw(request('GET', '/livez', 'User-Agent: \u001b[31mred'))).statusCode, 400, 'the parser refuses control characters in a header')
  await call('POST', '/v1/auth/login', { body: { email: `a\r\n${forged}\u001b[2J@example.com`, password: `\r\n${forged}` } })
  await call('POST', '/v1/auth/register', { body: { email: 'a@example.com', password: 'x', name: `\r\n${forged}\u2028` } })
  const lines = logLines().slice(before).filter(line => line['msg'] === 'request')
  t.equal(lines.length, 3, 'one line a request')
  t.notMatch(JSON.stringify(logLines()), /forged|chosen|\[31m|\[2J/)
})
