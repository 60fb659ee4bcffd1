import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { hashConcurrency } from '../../src/core/passwords/admission.ts'
import { freshDatabase } from '../helpers/database.ts'
import { startProcess } from '../helpers/processes.ts'
import { until } from '../helpers/until.ts'
import { ask, embedded, logged, signIn, startWorkers } from '../helpers/workers.ts'

t.test('requests are taken by the workers in turn, and a session goes on at whichever comes next', async t => {
  const node = await startWorkers(t, { workers: 3 })
  let session = await signIn(node.url)
  for (let round = 0; round < 6; round++) {
    const answer = await ask(node.url, 'POST', '/v1/auth/refresh', { body: { refresh_token: session.refresh_token } })
    t.equal(answer.status, 200)
    session = answer.json
    t.equal((await ask(node.url, 'GET', '/v1/auth/verify', { bearer: session.access_token })).status, 200)
  }
  const turnsSeen = () => logged(node).filter(({ msg }) => msg === 'request').map(({ worker }) => worker)
  await until(() => turnsSeen().length === 14)
  const turns = turnsSeen()
  t.strictSame([1, 2, 3].map(worker => turns.filter(turn => turn === worker).length).sort(), [4, 5, 5], 'every line says who it was')

  await ask(node.url, 'POST', '/v1/auth/logout', { body: { refresh_token: session.refresh_token } })
  await until(async () => {
    const seen = await Promise.all([1, 2, 3].map(async () => (await ask(node.url, 'GET', '/v1/auth/verify', { bearer: session.access_token })).status))
    return seen.every(status => status === 401)
  }, 1_000)
  t.equal(await node.stop(), 0)
  t.strictSame(node.pids(), [])
})

t.test('a single process says nothing of workers, and goes on when it is sent SIGHUP', async t => {
  const node = await startProcess(t, await freshDatabase(t))
  node.child.kill('SIGHUP')
  await node.saw('SIGHUP is for WORKERS')
  t.equal((await ask(node.url, 'GET', '/livez')).status, 200)
  t.notOk(logged(node).some(line => 'worker' in line || 'workers' in line))
  t.equal(await node.stop(), 0)
})

t.test('a worker that is killed is replaced, and what its clients try again succeeds', async t => {
  const node = await startWorkers(t)
  const session = await signIn(node.url)
  const victims = node.pids()
  t.equal(victims.length, 2)
  for (const [index, victim] of victims.entries()) {
    process.kill(victim, 'SIGKILL')
    for (let n = 0; n < 6; n++) {
      const verify = async () => (await ask(node.url, 'GET', '/v1/auth/verify', { bearer: session.access_token })).status
      t.equal(await verify().catch(verify), 200)
    }
    await until(() => node.served().size === 3 + index, 10_000)
  }
  t.equal((await ask(node.url, 'POST', '/v1/auth/refresh', { body: { refresh_token: session.refresh_token } })).status, 200)
  t.equal(node.pids().length, 2)
  t.match(node.lines.join('\n'), /"signal":"SIGKILL","msg":"a worker died"/)
  t.equal(await node.stop(), 0)
})

t.test('the limit per address is that of the node, however many workers it has', async t => {
  const { url } = await startWorkers(t, { env: { RATE_LIMIT_SCALE: '1' } })
  const statuses: number[] = []
  for (let n = 0; n < 36; n++) statuses.push((await ask(url, 'POST', '/v1/auth/register', { body: {} })).status)
  t.strictSame(statuses, [...Array(30).fill(400), ...Array(6).fill(429)], 'thirty sign-ups an hour')
})

t.test('what was generated for development is in no argument and no environment of a worker', async t => {
  const { env, postmaster } = await embedded(t)
  const node = await startWorkers(t, { databaseUrl: '', env })
  t.ok(await postmaster())
  const secrets = await Promise.all(['key-encryption-key', 'password'].map(async file => (await readFile(join(env.DATA_DIR, 'postgres', file), 'utf8')).trim()))
  for (const pid of node.pids()) {
    const seen = (await Promise.all(['cmdline', 'environ'].map(async file => await readFile(`/proc/${pid}/${file}`, 'utf8')))).join('\0')
    t.match(seen, `UV_THREADPOOL_SIZE=${hashConcurrency(2) + 4}`, 'it was found')
    for (const secret of secrets) t.notOk(seen.includes(secret.replace(/^dev:/, '')))
  }
  t.equal(await node.stop(), 0)
})

t.test('racing refreshes of one token on two workers give one successor each', async t => {
  const { url } = await startWorkers(t)
  let token = (await signIn(url)).refresh_token
  let rounds = 0
  for (; rounds < 60; rounds++) {
    const answers = await Promise.all([1, 2, 3, 4].map(async () => await ask(url, 'POST', '/v1/auth/refresh', { body: { refresh_token: token } })))
    const successors = new Set(answers.map(({ json }) => json.refresh_token))
    if (answers.some(({ status }) => status !== 200) || successors.size !== 1) break
    token = [...successors][0]
  }
  t.equal(rounds, 60)
})
