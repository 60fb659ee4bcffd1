import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import Fastify, { LogController, type FastifyBaseLogger } from 'fastify'
import t from 'tap'
import { requestContext } from '../src/http/request-context.ts'
import { Tally } from '../src/http/tally.ts'
import { createLog, type RequestLine } from '../src/log.ts'

const LINE: RequestLine = { reqId: '0198f0a0-0000-4000-8000-000000000000', method: 'GET', route: '/v1/users/:id', status: 200, address: '2001:db8::1', ms: 3 }
const withoutTime = (line: string): string => line.replace(/"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"/, '"time":""')

t.test('the line of a request is what the logger would write, letter by letter', t => {
  const odd = ['"', '\\', 'a"b', '\n', '\u2028', 'é', '\ud800', '', 'unknown', '10.0.0.1, "},{', '\0', '[::1]:80']
  const lines: RequestLine[] = [LINE, { ...LINE, route: undefined }, { ...LINE, address: undefined }, ...odd.flatMap(value => [{ ...LINE, address: value }, { ...LINE, route: value }])]
  for (const worker of [undefined, 2]) {
    for (const mixin of [undefined, () => ({}), () => ({ trace_id: 'abc', trace_flags: 1 })]) {
      const written: string[] = []
      const log = createLog({ logLevel: 'info', ...worker !== undefined && { worker } }, { write: line => { written.push(withoutTime(line)) }, ...mixin && { mixin } })
      for (const line of lines) {
        log.request(line)
        log.child({}, { redact: [] } as object).info(line, 'request')
        const [own, theirs] = written.splice(0)
        t.strictSame(JSON.parse(own!), JSON.parse(theirs!))
        if (!/[^\x20-\x7e]/.test(`${line.address}${line.route}`)) t.equal(own, theirs)
      }
    }
  }
  const written: string[] = []
  createLog({ logLevel: 'warn' }, { write: line => { written.push(line) } }).request(LINE)
  t.strictSame(written, [], 'none where none are wanted')
  t.end()
})

t.test('what is logged about a request names it, and secrets are struck out of it', async t => {
  const written: string[] = []
  const log = createLog({ logLevel: 'info', worker: 1 }, { write: line => { written.push(line) } })
  const app = Fastify({ loggerInstance: log as FastifyBaseLogger, logController: new LogController({ disableRequestLogging: true }), genReqId: () => LINE.reqId })
  await app.register(requestContext, { tally: new Tally(), log })
  app.get('/', async request => {
    request.log.warn({ user: { password: 'hunter2', name: 'Ann' } }, 'said')
    request.log.child({ part: 'one' }).warn('said')
    return {}
  })
  await app.inject('/')
  const [first, second, last] = written.map(line => JSON.parse(line))
  t.strictSame({ ...first, time: '' }, { level: 'warn', time: '', worker: 1, reqId: LINE.reqId, user: { password: '[Redacted]', name: 'Ann' }, msg: 'said' })
  t.strictSame({ ...second, time: '' }, { level: 'warn', time: '', worker: 1, reqId: LINE.reqId, part: 'one', msg: 'said' })
  t.match(last, { level: 'info', worker: 1, reqId: LINE.reqId, method: 'GET', route: '/', status: 200, address: '127.0.0.1', ms: Number, msg: 'request' })
})

const NUMBERS = Array.from({ length: 300 }, (_, n) => n)
const program = (ending: string): string => `
  import { createLog } from ${JSON.stringify(new URL('../src/log.ts', import.meta.url))}
  const log = createLog({ logLevel: 'info' })
  for (let n = 0; n < 300; n++) n % 100 === 50 ? log.info({ ms: n }, 'other') : log.request({ ...${JSON.stringify(LINE)}, ms: n })
  ${ending}`
const endings = { 'an end': '', 'an exit': 'process.exit(3)', 'a crash': 'throw new Error("crash")', 'kill -9 after half a second': 'setInterval(() => {}, 1000)' }

for (const [name, ending] of Object.entries(endings)) {
  t.test(`every line reaches standard output, in order: ${name}`, async t => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program(ending)], { stdio: ['ignore', 'pipe', 'ignore'] })
    const [exited, written] = [once(child, 'exit'), text(child.stdout)]
    if (name.startsWith('kill')) {
      await once(child.stdout, 'data')
      await sleep(500)
      child.kill('SIGKILL')
    }
    await exited
    t.strictSame((await written).trimEnd().split('\n').map(line => JSON.parse(line).ms), NUMBERS)
  })
}
