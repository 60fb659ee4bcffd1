import { once } from 'node:events'
import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { until } from '../helpers/until.ts'
import { ask, credentials, embedded, logged, signIn, startWorkers } from '../helpers/workers.ts'

/** Sends all of a sign-up but its last byte. `arrived`: whoever is to answer it has it, and not only the primary, which hands connections on. */
function openRequest (url: string): { finish: () => void, status: Promise<number>, arrived: Promise<unknown> } {
  const body = JSON.stringify(credentials())
  const sent = request(`${url}/v1/auth/register`.replace('localhost', '127.0.0.1'), { method: 'POST', agent: false, headers: { 'content-type': 'application/json', 'content-length': body.length, expect: '100-continue' } })
  const arrived = once(sent, 'continue')
  arrived.catch(() => {})
  const status = once(sent, 'response').then(([answer]) => { answer.resume(); return answer.statusCode as number })
  status.catch(() => {})
  sent.write(body.slice(0, -1))
  return { finish: () => { sent.end(body.slice(-1)) }, status, arrived }
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal} with workers: ready turns false at all of them first, requests are still taken, those in flight are answered, then it ends with 0`, async t => {
    const node = await startWorkers(t, { env: { DRAIN_SECONDS: '2' } })
    const inFlight = [openRequest(node.url), openRequest(node.url)]
    t.equal((await ask(node.url, 'GET', '/readyz')).status, 200)

    const signalledAt = performance.now()
    // Ctrl-C reaches the whole process group.
    for (const pid of [...node.pids(), node.child.pid!]) process.kill(pid, signal)
    await node.saw('"draining"')
    await until(() => logged(node).filter(({ msg }) => msg === 'draining').length === 2)
    for (let n = 0; n < 4; n++) t.equal((await ask(node.url, 'GET', '/readyz')).status, 503)
    t.equal((await ask(node.url, 'POST', '/v1/auth/register', { body: credentials() })).status, 201, 'all is served until the balancer has understood')
    // A connection that comes in the very moment in which the last worker stops taking any is taken by nobody, and is closed with the process.
    const answers = async () => await Promise.race([ask(node.url, 'GET', '/livez').then(() => true, () => false), sleep(1_000, false)])
    await until(async () => !await answers(), 5_000)
    t.ok(performance.now() - signalledAt >= 1_900, 'the port closes after the drain and not before')
    t.equal(node.child.exitCode, null, 'it waits for what is in flight')
    for (const { finish } of inFlight) finish()
    t.strictSame(await Promise.all(inFlight.map(({ status }) => status)), [201, 201])
    t.equal(await node.ended, 0)
    t.ok(performance.now() - signalledAt < 7_000)
    t.match(node.lines.at(-1), /"stopped"/)
    t.strictSame(node.pids(), [])
  })
}

t.test('a client that never finishes its request does not keep the workers or the database from ending', async t => {
  const { env, postmaster } = await embedded(t)
  const node = await startWorkers(t, { databaseUrl: '', env })
  t.equal((await ask(node.url, 'POST', '/v1/auth/register', { body: credentials() })).status, 201, 'both on one embedded database')
  openRequest(node.url)
  openRequest(node.url)
  const signalledAt = performance.now()
  t.equal(await node.stop(), 0)
  t.ok(performance.now() - signalledAt < 11_000)
  t.strictSame(node.pids(), [])
  t.equal(await postmaster(), null)
})

t.test('a second Ctrl-C means now, for the workers too', async t => {
  const node = await startWorkers(t, { env: { DRAIN_SECONDS: '8' } })
  node.child.kill('SIGINT')
  await node.saw('"draining"')
  t.equal(await node.stop('SIGINT'), 130)
  await until(() => node.pids().length === 0)
})

t.test('a primary that is killed leaves workers that answer what they have and end, a port that is free, and a database that the next start adopts', async t => {
  const { env, postmaster } = await embedded(t)
  const node = await startWorkers(t, { databaseUrl: '', env })
  const session = await signIn(node.url)
  const inFlight = openRequest(node.url)
  await inFlight.arrived
  const database = (await postmaster())!.pid
  await node.stop('SIGKILL')
  inFlight.finish()
  t.equal(await inFlight.status, 201)

  const { port } = new URL(node.url)
  const next = await startWorkers(t, { databaseUrl: '', env: { ...env, PORT: port } })
  t.equal((await postmaster())?.pid, database)
  t.equal((await ask(next.url, 'POST', '/v1/auth/refresh', { body: { refresh_token: session.refresh_token } })).status, 200)
  await until(() => node.pids().length === 0, 11_000)
  t.equal(await next.stop(), 0)
  t.equal(await postmaster(), null)
})
