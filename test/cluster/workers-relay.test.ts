import { readFileSync } from 'node:fs'
import t from 'tap'
import { freePort } from '../../src/db/embedded/start.ts'
import { freshDatabase } from '../helpers/database.ts'
import { startProcess } from '../helpers/processes.ts'
import { proxy } from '../helpers/proxy.ts'
import { until } from '../helpers/until.ts'
import { ask, signIn, startWorkers } from '../helpers/workers.ts'

t.test('workers of a node without a database verify, say how stale they are, and are not replaced by any that know nothing', async t => {
  const node = await startProcess(t, await freshDatabase(t))
  const wire = await proxy(t)
  wire.to(node.url)
  const metricsPort = await freePort()
  const relay = await startWorkers(t, { databaseUrl: '', env: { MODE: 'verifier', UPSTREAM_URL: wire.url, KEY_ENCRYPTION_KEY: '', METRICS_PORT: String(metricsPort) } })
  const staleness = async () => /^stateless_auth_feed_staleness_seconds (.+)$/m.exec(await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text())![1]
  const { access_token: bearer } = await signIn(node.url)
  const verify = async () => await Promise.all([1, 2, 3, 4].map(async () => (await ask(relay.url, 'GET', '/v1/auth/verify', { bearer })).status))
  t.strictSame(await verify(), [200, 200, 200, 200])
  t.ok(Number(await staleness()) < 10)
  for (const pid of [relay.child.pid!, ...relay.pids()]) {
    t.notMatch(readFileSync(`/proc/${pid}/maps`, 'utf8'), /argon2/, 'nothing of what a database takes is loaded')
  }

  wire.to(null)
  const before = relay.pids()
  relay.child.kill('SIGHUP')
  await until(() => relay.lines.some(line => line.includes('could not be restarted')), 30_000)
  t.match(relay.lines.join('\n'), /The upstream has said nothing within 10 s\./)
  t.strictSame(relay.pids(), before)
  t.strictSame(await verify(), [200, 200, 200, 200])
  t.ok(Number(await staleness()) > 8)

  wire.to(node.url)
  relay.child.kill('SIGHUP')
  await relay.saw('the workers were restarted')
  t.strictSame(await verify(), [200, 200, 200, 200])
  t.equal(await relay.stop(), 0)
})

t.test('workers start without their upstream, and do not pretend that what they have is fresh', async t => {
  const metricsPort = await freePort()
  const relay = await startWorkers(t, { databaseUrl: '', env: { MODE: 'verifier', UPSTREAM_URL: `http://127.0.0.1:${await freePort()}`, KEY_ENCRYPTION_KEY: '', METRICS_PORT: String(metricsPort) } })
  t.equal((await ask(relay.url, 'GET', '/readyz')).status, 503)
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
  t.match(text, /^stateless_auth_feed_staleness_seconds \+Inf$/m)
  t.match(text, /^stateless_auth_keys_age_seconds \+Inf$/m)
  t.equal(await relay.stop(), 0)
})
