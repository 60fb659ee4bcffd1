import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { freshDatabase } from '../helpers/database.ts'
import { send, startProcess } from '../helpers/processes.ts'

// A collector of logs dies, or is replaced: what it read from is a broken pipe from then on.
t.test('a node whose log nobody reads any more goes on answering, and ends when it is told to', async t => {
  const database = await freshDatabase(t)
  for (const workers of ['1', '2']) {
    const node = await startProcess(t, database, { env: { WORKERS: workers, LOG_LEVEL: 'debug' } })
    // What is printed at the start for people is not the log.
    await sleep(500)
    const closed = once(node.child.stdout!, 'close')
    node.child.stdout!.destroy()
    await closed
    for (let round = 0; round < 4; round++) {
      // Longer than lines are held back, so that each of them meets the pipe.
      await sleep(300)
      t.equal((await send(node.url, 'GET', '/readyz')).status, 200)
      t.equal((await send(node.url, 'POST', '/v1/auth/login', { body: { email: 'nobody@example.com', password: 'a wrong pass phrase' } })).status, 401)
    }
    t.equal(await node.stop(), 0, `${workers}: ended by SIGTERM`)
  }
})

t.test('workers whose primary was killed with the reader of the log end all the same', async t => {
  const node = await startProcess(t, await freshDatabase(t), { env: { WORKERS: '2' } })
  const workers = node.lines.filter(line => line.startsWith('{')).flatMap(line => JSON.parse(line).msg === 'serving' ? [JSON.parse(line).pid as number] : [])
  t.equal(workers.length, 2)
  node.child.stdout!.destroy()
  node.child.kill('SIGKILL')
  await node.ended
  const lives = (pid: number) => { try { return process.kill(pid, 0) } catch { return false } }
  for (let waited = 0; waited < 15_000 && workers.some(lives); waited += 100) await sleep(100)
  t.strictSame(workers.filter(lives), [])
  for (const pid of workers.filter(lives)) process.kill(pid, 'SIGKILL')
})
