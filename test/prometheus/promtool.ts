import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { freePort } from '../../src/db/embedded/start.ts'
import { families } from '../../src/metrics/families.ts'
import { freshDatabase } from '../helpers/database.ts'
import { send, startProcess } from '../helpers/processes.ts'
import { until } from '../helpers/until.ts'
import { PASSWORD } from '../helpers/world.ts'

/** @throws with what it says when it finds a fault */
const promtool = (args: string[], input = ''): string => execFileSync('promtool', args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] })

t.test('the rules are well formed, and each alert fires when it must and not when it must not', async t => {
  t.match(promtool(['check', 'rules', '--lint-fatal', 'deploy/prometheus/alerts.yaml']), /SUCCESS: \d\d rules found/)
  t.match(promtool(['test', 'rules', 'deploy/prometheus/alerts.test.yaml']), /SUCCESS/)
})

t.test('a case that does not hold is seen', async t => {
  const folder = t.testdir({ 'alerts.yaml': readFileSync('deploy/prometheus/alerts.yaml', 'utf8').replace('feed_staleness_seconds > 10', 'feed_staleness_seconds > 1000') })
  writeFileSync(join(folder, 'alerts.test.yaml'), readFileSync('deploy/prometheus/alerts.test.yaml'))
  t.throws(() => promtool(['test', 'rules', join(folder, 'alerts.test.yaml')]), /FAILED|StatelessAuthFeedStale/)
})

t.test('every question of the dashboard is one that Prometheus understands', async t => {
  const { panels } = JSON.parse(readFileSync('deploy/grafana/dashboard.json', 'utf8')) as { panels: { targets?: { expr: string }[] }[] }
  const questions = panels.flatMap(({ targets }) => targets ?? []).map(({ expr }) => expr.replaceAll('$__rate_interval', '5m').replaceAll('$job', '.+'))
  t.ok(questions.length > 30)
  const rules = { groups: [{ name: 'dashboard', rules: questions.map((expr, at) => ({ record: `dashboard:${at}`, expr })) }] }
  const folder = t.testdir({ 'dashboard.json': JSON.stringify(rules) })
  t.match(promtool(['check', 'rules', join(folder, 'dashboard.json')]), new RegExp(`SUCCESS: ${questions.length} rules found`))
})

t.test('what a running service shows is as promtool wants it, with every metric there is', async t => {
  const port = await freePort()
  const { url } = await startProcess(t, await freshDatabase(t), { env: { METRICS_PORT: String(port) } })
  await send(url, 'POST', '/v1/auth/register', { body: { email: 'ada@example.com', password: PASSWORD } })
  const { json: { access_token: bearer } } = await send(url, 'POST', '/v1/auth/login', { body: { email: 'ada@example.com', password: PASSWORD } })
  await send(url, 'GET', '/v1/auth/verify', { bearer })
  const scrape = async () => await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  // The first housekeeping may be ten minutes away; jobs are counted after a second.
  const missing = (text: string) => Object.keys(families).filter(name => !text.includes(`# TYPE ${name} `) && !name.includes('housekeeping_last_success'))
  await until(async () => missing(await scrape()).length === 0, 10_000).catch(async () => { t.strictSame(missing(await scrape()), []) })
  t.equal(promtool(['check', 'metrics'], await scrape()), '')
})
