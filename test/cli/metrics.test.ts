import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { get } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { freePort } from '../../src/db/embedded/start.ts'
import { cli, refusedBecause } from '../helpers/cli.ts'
import { freshDatabase } from '../helpers/database.ts'
import { ownPostgres } from '../helpers/own-postgres.ts'
import { send, startProcess } from '../helpers/processes.ts'
import { until } from '../helpers/until.ts'
import { ask, startWorkers } from '../helpers/workers.ts'
import { testEnvironment } from '../helpers/world.ts'

/** Name, with labels where it has some, → value. */
async function scrape (port: number): Promise<Map<string, number>> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`)
  if (answer.status !== 200) throw new Error(`/metrics answered ${answer.status}`)
  const samples = (await answer.text()).trim().split('\n').filter(line => !line.startsWith('#'))
  return new Map(samples.map(line => [line.slice(0, line.lastIndexOf(' ')).replace('stateless_auth_', ''), Number(line.slice(line.lastIndexOf(' ') + 1))]))
}
const requests = (method: string, route: string, status: string) => `http_requests_total{method="${method}",route="${route}",status="${status}"}`

async function takenPort (t: Test): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  return (server.address() as AddressInfo).port
}

t.test('metrics are on a port of their own, and on no other; nothing else is on it', async t => {
  const port = await freePort()
  const node = await startProcess(t, await freshDatabase(t), { env: { METRICS_PORT: String(port) } })
  for (const path of ['/metrics', '/metrics/', '/v1/metrics']) t.equal((await send(node.url, 'GET', path)).status, 404, `${path} on the public port`)
  for (const path of ['/', '/v1/auth/verify', '/livez', '/metrics/x']) t.equal((await fetch(`http://127.0.0.1:${port}${path}`)).status, 404, `${path} on that of the metrics`)
  t.equal((await fetch(`http://127.0.0.1:${port}/metrics`, { method: 'POST', body: '{}' })).status, 404)
  t.match((await fetch(`http://127.0.0.1:${port}/metrics?x=1`)).headers.get('content-type'), /^text\/plain; version=0\.0\.4/)

  await send(node.url, 'GET', '/v1/auth/verify')
  await send(node.url, 'GET', '/v1/auth/verify', { bearer: 'nonsense' })
  await send(node.url, 'POST', '/v1/auth/login', { body: { email: 'ada@example.com', password: 'canary-pass-phrase-77' } })
  await until(async () => (await scrape(port)).get(requests('POST', '/v1/auth/login', '4xx')) === 1)
  const seen = await scrape(port)
  t.equal(seen.get(requests('GET', '/v1/auth/verify', '4xx')), 2)
  t.equal(seen.get(requests('GET', '(none)', '4xx')), 3)
  t.ok(seen.get('feed_staleness_seconds')! < 5)
  t.ok(seen.get('keys_age_seconds')! < 120)
  t.equal(seen.get('feed_entries'), 0)
  t.equal(seen.get('feed_streams'), 0)
  t.notMatch([...seen.keys()].join(' '), /canary|ada@example|nonsense/, 'nothing that a caller sent')

  const stream = get(`${node.url}/v1/revocations/stream`, { agent: false })
  await once(stream, 'response')
  t.equal((await scrape(port)).get('feed_streams'), 1)
  stream.destroy()
  await until(async () => (await scrape(port)).get('feed_streams') === 0)
  t.equal(await node.stop(), 0)
})

t.test('with METRICS_PORT=0 there are none', async t => {
  const node = await startProcess(t, await freshDatabase(t), { env: { METRICS_PORT: '0' } })
  t.notMatch(node.lines.join('\n'), /metrics/)
})

t.test('the feed goes stale while the database is away, and says so; nothing else of it fails', async t => {
  const postgres = await ownPostgres(t)
  const port = await freePort()
  await startProcess(t, postgres.url, { env: { METRICS_PORT: String(port) } })
  await postgres.stop('SIGINT')
  await until(async () => (await scrape(port)).get('feed_staleness_seconds')! > 3, 10_000)
  await postgres.start()
  await until(async () => (await scrape(port)).get('feed_staleness_seconds')! < 3, 10_000)
})

t.test('a metrics port that is taken: a second service on a developer\'s machine does without, one in production does not start', async t => {
  const port = await takenPort(t)
  const databaseUrl = await freshDatabase(t)
  const kek = `t:${randomBytes(32).toString('base64')}`
  const node = await startProcess(t, databaseUrl, { env: { KEY_ENCRYPTION_KEY: kek, METRICS_PORT: String(port) } })
  t.match(node.lines.join('\n'), new RegExp(`Port ${port} on 127\\.0\\.0\\.1 is taken by another process; stop it or set METRICS_PORT.*"no metrics"`))
  t.equal((await send(node.url, 'GET', '/readyz')).status, 200)
  for (const workers of ['1', '2']) {
    const ended = await cli(t, ['serve'], { ...testEnvironment(databaseUrl, kek), NODE_ENV: 'production', PUBLIC_URL: 'http://localhost:3000', PORT: '0', METRICS_PORT: String(port), WORKERS: workers })
    refusedBecause(t, ended, /is taken by another process; stop it or set METRICS_PORT/)
  }
})

t.test('with workers there is one answer for all of them, and no counter falls when one dies or all are restarted', async t => {
  const port = await freePort()
  const node = await startWorkers(t, { env: { METRICS_PORT: String(port) } })
  const livez = async () => (await scrape(port)).get(requests('GET', '/livez', '2xx')) ?? 0
  for (let n = 0; n < 10; n++) await ask(node.url, 'GET', '/livez')
  await until(async () => await livez() === 10)

  process.kill(node.pids()[0]!, 'SIGKILL')
  await until(() => node.served().size === 3, 10_000)
  t.equal(await livez(), 10)
  for (let n = 0; n < 4; n++) await ask(node.url, 'GET', '/livez')
  await until(async () => await livez() === 14)

  node.child.kill('SIGHUP')
  await node.saw('the workers were restarted')
  t.equal(await livez(), 14)
  t.equal((await scrape(port)).get('feed_staleness_seconds')! < 5, true)

  const frozen = node.pids()[0]!
  process.kill(frozen, 'SIGSTOP')
  t.equal((await fetch(`http://127.0.0.1:${port}/metrics`)).status, 503, 'a worker that hangs is not left out in silence')
  process.kill(frozen, 'SIGCONT')
  t.equal(await node.stop(), 0)
})
