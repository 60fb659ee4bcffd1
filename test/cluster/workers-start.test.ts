import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { cli, refusedBecause } from '../helpers/cli.ts'
import { freshDatabase } from '../helpers/database.ts'
import { startProcess } from '../helpers/processes.ts'
import { until } from '../helpers/until.ts'
import { ask, embedded, isAlive, startWorkers } from '../helpers/workers.ts'
import { testEnvironment } from '../helpers/world.ts'

t.test('with a port that is taken no worker and no database is started', async t => {
  const { env, postmaster } = await embedded(t)
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => { taken.close() })
  const { port } = taken.address() as AddressInfo
  const ended = await cli(t, ['serve'], { WORKERS: '2', DATA_DIR: env.DATA_DIR, PORT: String(port), METRICS_PORT: '0' })
  refusedBecause(t, ended, new RegExp(`Port ${port} on 127\\.0\\.0\\.1 is taken`))
  t.equal(ended.stdout, '')
  t.equal(await postmaster(), null)
})

t.test('what keeps a worker from serving is said once, and ends the start', async t => {
  const databaseUrl = await freshDatabase(t)
  await (await startProcess(t, databaseUrl)).stop()
  const ended = await cli(t, ['serve'], { ...testEnvironment(databaseUrl, `t:${randomBytes(32).toString('base64')}`), WORKERS: '4', PORT: '0' })
  refusedBecause(t, ended, /KEY_ENCRYPTION_KEY has another "t" than the one that sealed/)
})

t.test('workers that die as soon as they serve, again and again, end the primary', async t => {
  const node = await startWorkers(t)
  const killing = setInterval(() => { for (const pid of node.pids()) process.kill(pid, 'SIGKILL') }, 20)
  t.teardown(() => { clearInterval(killing) })
  t.equal(await node.ended, 1)
  t.match(node.lines.at(-1), /^\d worker processes in a row ended as soon as they had started/)
  t.ok(node.served().size <= 7, 'it does not fork for ever')
})

t.test('while one worker serves steadily another may die as often as it likes', async t => {
  const node = await startWorkers(t)
  const [steady] = node.pids() as [number]
  await sleep(1_000)
  for (let deaths = 0; deaths < 6; deaths++) {
    await until(() => node.pids().length === 2, 15_000)
    for (const pid of node.pids()) if (pid !== steady) process.kill(pid, 'SIGKILL')
    await until(() => node.pids().length === 1)
  }
  t.ok(isAlive(steady))
  t.equal((await ask(node.url, 'GET', '/readyz')).status, 200)
  t.equal(await node.stop(), 0)
})
