import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { freshDatabase } from '../helpers/database.ts'
import { send, startProcess } from '../helpers/processes.ts'

t.test('connections that never said a word do not hold a node that is told to stop', async t => {
  const node = await startProcess(t, await freshDatabase(t), { env: { DRAIN_SECONDS: '0' } })
  const { port } = new URL(node.url)
  const silent = Array.from({ length: 3 }, () => connect(Number(port), '127.0.0.1'))
  await Promise.all(silent.map(async socket => await once(socket, 'connect')))
  await sleep(1_100)
  t.ok(silent.every(socket => !socket.destroyed), 'while it serves they may wait')
  t.equal((await send(node.url, 'GET', '/livez')).status, 200)
  const closed = Promise.all(silent.map(async socket => await once(socket.resume(), 'close')))
  const began = performance.now()
  t.equal(await node.stop(), 0)
  await closed
  t.ok(performance.now() - began < 7_000, 'before its deadline of 9.5 s')
})
