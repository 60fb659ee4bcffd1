import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { Agent } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { temporaryFolder } from '../helpers/own-postgres.ts'
import { until } from '../helpers/until.ts'
import { ask, logged, startWorkers, type Workers } from '../helpers/workers.ts'
import { PASSWORD } from '../helpers/world.ts'

const restarts = (node: Workers) => logged(node).filter(({ msg }) => msg === 'the workers were restarted').length

/** Clients that hardly pause, on connections kept alive and on new ones. A request that is not answered with 200 is a failure. */
async function load ({ url }: Workers) {
  const account = { email: `${randomBytes(6).toString('hex')}@example.com`, password: PASSWORD }
  await ask(url, 'POST', '/v1/auth/register', { body: account })
  const session = (await ask(url, 'POST', '/v1/auth/login', { body: { ...account, refresh: 'body' } })).json
  const bearer = session.access_token as string
  let token = session.refresh_token as string
  const keptAlive = new Agent({ keepAlive: true, maxSockets: 8 })
  const kinds: Record<string, () => ReturnType<typeof ask>> = {
    'verify, kept alive': async () => await ask(url, 'GET', '/v1/auth/verify', { bearer, agent: keptAlive }),
    'verify, new connection': async () => await ask(url, 'GET', '/v1/auth/verify', { bearer }),
    'readyz, kept alive': async () => await ask(url, 'GET', '/readyz', { agent: keptAlive }),
    'readyz, new connection': async () => await ask(url, 'GET', '/readyz'),
    'refresh, kept alive': async () => {
      const answer = await ask(url, 'POST', '/v1/auth/refresh', { body: { refresh_token: token }, agent: keptAlive })
      token = answer.json?.refresh_token ?? token
      return answer
    },
    'sign-in, new connection': async () => await ask(url, 'POST', '/v1/auth/login', { body: { ...account, refresh: 'body' } }),
  }
  const seen: Record<string, number> = {}
  const failures: string[] = []
  const done = new AbortController()
  // Of hashing so much that the new workers have a machine to start on.
  const clients = Object.entries(kinds).flatMap(([kind, once]) => Array.from({ length: /^(refresh|sign-in)/.test(kind) ? 1 : 3 }, async () => {
    while (!done.signal.aborted) {
      const outcome = await once().then(({ status, json }) => status < 300 ? status : `${status} ${json?.code}`, (error: NodeJS.ErrnoException) => error.code ?? error.message)
      if (outcome === 200) seen[kind] = (seen[kind] ?? 0) + 1
      else failures.push(`${kind}: ${outcome}`)
      await sleep(kind.startsWith('sign-in') ? 50 : 10)
    }
  }))
  return { seen, failures, stop: async () => { done.abort(); await Promise.all(clients); keptAlive.destroy() } }
}

t.test('SIGHUP restarts the workers one after the other, and no request fails, on connections old or new', async t => {
  const node = await startWorkers(t, { env: { DRAIN_SECONDS: '1' } })
  const before = node.pids()
  const { seen, failures, stop } = await load(node)
  await sleep(500)
  node.child.kill('SIGHUP')
  await until(() => restarts(node) === 1, 60_000)
  const between = node.pids()
  node.child.kill('SIGHUP')
  await until(() => restarts(node) === 2, 60_000)
  await sleep(500)
  await stop()
  t.strictSame(failures, [], `${JSON.stringify(seen)} answered meanwhile`)
  // Hashes give way to whatever else the machine does.
  t.ok(Object.keys(seen).length === 6 && Object.entries(seen).every(([kind, count]) => count > (kind.startsWith('sign-in') ? 10 : 50)), JSON.stringify(seen))
  t.strictSame([between, node.pids()].map(pids => pids.length), [2, 2])
  t.notOk([...before, ...between].some(pid => node.pids().includes(pid)), 'all are new')
  t.equal(await node.stop(), 0)
})

t.test('SIGHUP twice at once is one restart and one more; told to stop in the middle of it, it stops', async t => {
  const node = await startWorkers(t, { env: { DRAIN_SECONDS: '1' } })
  node.child.kill('SIGHUP')
  await node.saw('restarting the workers')
  node.child.kill('SIGHUP')
  await until(() => node.served().size >= 5, 60_000)
  const signalledAt = performance.now()
  t.equal(await node.stop(), 0)
  t.ok(performance.now() - signalledAt < 11_000)
  t.notMatch(node.lines.join('\n'), /could not be restarted/)
  t.strictSame(node.pids(), [])
})

t.test('a replacement that does not come up leaves the old workers in place; once the fault is mended, the next SIGHUP works', async t => {
  const [good, bad] = [randomBytes(32), randomBytes(32)].map(key => `k:${key.toString('base64')}`) as [string, string]
  const file = join(await temporaryFolder(t), 'key-encryption-key')
  await writeFile(file, good)
  const node = await startWorkers(t, { env: { KEY_ENCRYPTION_KEY: '', KEY_ENCRYPTION_KEY_FILE: file } })
  const before = node.pids()
  await refused(t, bad, /KEY_ENCRYPTION_KEY has another "k"/)
  await refused(t, 'nonsense', /KEY_ENCRYPTION_KEY must be/)

  const next = `n:${randomBytes(32).toString('base64')}`
  await writeFile(file, `${next},${good}`)
  node.child.kill('SIGHUP')
  await until(() => restarts(node) === 1, 60_000)
  t.equal((await ask(node.url, 'GET', '/readyz')).status, 200)
  t.notOk(node.pids().some(pid => before.includes(pid)), 'with the key that was put in front')

  async function refused (t: Test, key: string, reason: RegExp) {
    await writeFile(file, key)
    const seen = node.lines.length
    node.child.kill('SIGHUP')
    await until(() => node.lines.slice(seen).some(line => line.includes('could not be restarted')), 20_000)
    t.match(node.lines.slice(seen).join('\n'), reason)
    await until(() => node.pids().join() === before.join()) // the one that did not come up has gone
    t.equal((await ask(node.url, 'GET', '/readyz')).status, 200)
  }
})
