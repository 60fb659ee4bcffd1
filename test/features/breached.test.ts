import { hash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { Tally } from '../../src/http/tally.ts'
import { readingOf } from '../../src/metrics/read.ts'
import { world } from '../helpers/world.ts'

type Answer = (request: IncomingMessage, response: ServerResponse, prefix: string) => void

const LEAKED = 'seen in a breach before 7'
const digest = (password: string) => hash('sha1', password).toUpperCase()
const padding = Array.from({ length: 800 }, (_, at) => `${digest(`padding ${at}`).slice(5)}:0`)

/** A server of the range protocol, and all that it was told. */
async function rangeServer (t: Test, answer: Answer) {
  const seen: { url: string, headers: IncomingMessage['headers'] }[] = []
  const server = createServer((request, response) => {
    seen.push({ url: request.url!, headers: request.headers })
    answer(request, response, request.url!.split('/').at(-1)!)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close(); server.closeAllConnections() })
  return { seen, host: `127.0.0.1:${(server.address() as AddressInfo).port}` }
}

/** Knows one leaked password; another one only as padding. */
const knowing = (leaked: string): Answer => (_request, response, prefix) => {
  const lines = digest(leaked).startsWith(prefix) ? [`${digest(leaked).slice(5)}:42`] : []
  response.end([...padding.slice(0, 400), ...lines, ...padding.slice(400)].join('\r\n'))
}
const signUp = async ({ call }: Pick<Awaited<ReturnType<typeof world>>, 'call'>, password: string) => {
  const answer = await call('POST', '/v1/auth/register', { body: { email: `${hash('md5', password)}@mail.test`, password } })
  return [answer.statusCode, answer.json().errors]
}

t.test('a password from a breach is refused with the reason, and five hex digits are all that anybody learns', async t => {
  const server = await rangeServer(t, knowing(LEAKED))
  const w = await world(t, { BREACHED_PASSWORDS_URL: `http://us%40er:se%3Acret@${server.host}/pwned` })
  t.match(await signUp(w, LEAKED), [400, [{ pointer: '/password', code: 'breached', message: /breach/ }]])
  t.match(await signUp(w, 'padding 7'), [400, [{ code: 'too_short' }]], 'what is refused here is asked nowhere')
  t.match(await signUp(w, 'nobody has seen this one'), [201])
  t.strictSame(server.seen.map(({ url }) => url), [LEAKED, 'nobody has seen this one'].map(password => `/pwned/range/${digest(password).slice(0, 5)}`))
  for (const { headers } of server.seen) {
    t.match(headers, { 'add-padding': 'true', authorization: `Basic ${Buffer.from('us@er:se:cret').toString('base64')}` })
    for (const password of [LEAKED, 'nobody has seen this one']) t.notMatch(JSON.stringify(headers), digest(password).slice(5, 12))
  }
  t.equal(w.ctx.breached.failures, 0)
})

t.test('a line with the count 0 is padding', async t => {
  const server = await rangeServer(t, (_request, response) => { response.end(`${digest(LEAKED).slice(5)}:0\r\n`) })
  t.match(await signUp(await world(t, { BREACHED_PASSWORDS_URL: `http://${server.host}` }), LEAKED), [201])
})

t.test('a server that is away, slow, endless, broken or sends us elsewhere keeps nobody from signing up, and is counted', async t => {
  const elsewhere = await rangeServer(t, knowing(LEAKED))
  const faults: Record<string, Answer> = {
    slow: () => {},
    'slow after its head': (_request, response) => { response.flushHeaders() },
    endless: (_request, response) => { response.on('error', () => {}); const more = () => { while (!response.destroyed && response.write(`${'A'.repeat(35)}:1\r\n`.repeat(1_000))); response.once('drain', more) }; more() },
    broken: (_request, response) => { response.writeHead(500).end(`${digest(LEAKED).slice(5)}:9`) },
    'a redirect': (request, response) => { response.writeHead(302, { location: `http://${elsewhere.host}${request.url}` }).end() },
    'cut off': (request) => { request.socket.destroy() },
  }
  for (const [name, fault] of Object.entries(faults)) {
    const server = await rangeServer(t, fault)
    const w = await world(t, { BREACHED_PASSWORDS_URL: `http://${server.host}` })
    const began = performance.now()
    t.match(await signUp(w, LEAKED), [201], name)
    t.ok(performance.now() - began < 2_500, `within ${Math.round(performance.now() - began)} ms`)
    t.match(readingOf({ ctx: w.ctx, tally: new Tally() }).stateless_auth_breach_checks_failed_total, [{ value: 1 }], name)
    const said = w.logLines().filter(line => line['msg'] === 'a password could not be checked against breaches')
    t.match(said.map(({ err }) => err), [name === 'endless' ? /^the answer is longer than 524288 bytes$/ : /./], 'and said once')
    t.equal(server.seen.length, 1, 'asked once')
  }
  t.strictSame(elsewhere.seen, [], 'nobody else was asked')
  t.match(await signUp(await world(t, { BREACHED_PASSWORDS_URL: 'http://127.0.0.1:1' }), LEAKED), [201], 'away')
})
