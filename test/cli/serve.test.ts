import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { stat, readFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { findPostmaster, stopPostmaster } from '../../src/db/embedded/postmaster.ts'
import { cli, refusedBecause } from '../helpers/cli.ts'
import { freshDatabase } from '../helpers/database.ts'
import { temporaryFolder } from '../helpers/own-postgres.ts'
import { send, startProcess, type NodeProcess } from '../helpers/processes.ts'
import { until } from '../helpers/until.ts'
import { PASSWORD } from '../helpers/world.ts'

/** Nothing set: the embedded database and a generated key in a folder of their own. */
const noSettings = (dataDir: string) => ({ DATABASE_URL: '', KEY_ENCRYPTION_KEY: '', DRAIN_SECONDS: '', REQUIRE_VERIFIED_EMAIL: '', DATA_DIR: dataDir })
const startEmbeddedNode = async (t: Test, dataDir: string): Promise<NodeProcess> => await startProcess(t, '', { env: noSettings(dataDir) })

async function dataFolder (t: Test) {
  const folder = await temporaryFolder(t)
  const postmaster = async () => await findPostmaster(join(folder, 'postgres', 'data'))
  t.teardown(async () => { const left = await postmaster(); if (left) await stopPostmaster(left.pid) })
  return { folder, postmaster }
}
const kids = async ({ url }: NodeProcess): Promise<string[]> => (await send(url, 'GET', '/.well-known/jwks.json')).json.keys.map(({ kid }: { kid: string }) => kid)

t.test('without any setting it starts on a database of its own, and keeps users, sessions and keys', async t => {
  const { folder, postmaster } = await dataFolder(t)
  const credentials = { email: `${randomUUID()}@example.com`, password: PASSWORD }
  const first = await startEmbeddedNode(t, folder)
  t.equal((await send(first.url, 'POST', '/v1/auth/register', { body: credentials })).status, 201)
  const session = (await send(first.url, 'POST', '/v1/auth/login', { body: { ...credentials, refresh: 'body' } })).json
  const before = await kids(first)
  t.match(first.lines.join('\n'), /embedded PostgreSQL.*generated key-encryption key.*not verified/, 'it says what is relaxed')

  refusedBecause(t, await cli(t, ['serve'], { DATA_DIR: folder, PORT: '0' }), new RegExp(`in use by process ${first.child.pid}; stop that one first`))
  t.equal((await send(first.url, 'GET', '/readyz/full')).status, 200, 'the first does not notice')

  t.equal(await first.stop('SIGINT'), 0, 'Ctrl-C')
  t.equal(await postmaster(), null, 'and the database is gone with it')
  const second = await startEmbeddedNode(t, folder)
  t.strictSame(await kids(second), before)
  t.equal((await send(second.url, 'GET', '/v1/auth/verify', { bearer: session.access_token })).status, 200)
  t.equal((await send(second.url, 'POST', '/v1/auth/refresh', { body: { refresh_token: session.refresh_token } })).status, 200)
  t.equal((await send(second.url, 'POST', '/v1/auth/login', { body: credentials })).status, 200)

  const orphan = (await postmaster())!.pid
  await second.stop('SIGKILL')
  t.equal((await postmaster())?.pid, orphan, 'after kill -9 the database lives on')
  const third = await startEmbeddedNode(t, folder)
  t.equal((await postmaster())?.pid, orphan, 'and the next start adopts it')
  t.equal((await send(third.url, 'POST', '/v1/auth/login', { body: credentials })).status, 200)
  t.equal(await third.stop(), 0)
  t.equal(await postmaster(), null)
  t.equal((await stat(join(folder, 'postgres/key-encryption-key'))).mode & 0o777, 0o600, 'nobody else reads the key')
})

t.test('two fresh installations share neither keys nor the key-encryption key', async t => {
  const folders = await Promise.all([dataFolder(t), dataFolder(t)])
  const nodes = await Promise.all(folders.map(async ({ folder }) => await startEmbeddedNode(t, folder)))
  const seen = (await Promise.all(nodes.map(kids))).flat()
  t.equal(new Set(seen).size, 4)
  const secrets = await Promise.all(folders.map(async ({ folder }) => await readFile(join(folder, 'postgres/key-encryption-key'), 'utf8')))
  t.not(secrets[0], secrets[1])
  for (const node of nodes) t.equal(await node.stop(), 0)
})

t.test('a start that fails leaves no database running and no folder locked', async t => {
  const { folder, postmaster } = await dataFolder(t)
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  refusedBecause(t, await cli(t, ['serve'], { DATA_DIR: folder, PORT: String(port) }), /is taken/)
  t.equal(await postmaster(), null)
  taken.close()
  const node = await startEmbeddedNode(t, folder)
  t.equal(await node.stop(), 0)
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal}: ready turns false first, requests are still taken, those in flight are answered, then it ends with 0`, async t => {
    const node = await startProcess(t, await freshDatabase(t), { env: { DRAIN_SECONDS: '2' } })
    // A sign-up of which the last byte comes after the drain is over.
    const inFlight = openRequest(node)
    t.equal((await send(node.url, 'GET', '/readyz')).status, 200)

    const signalledAt = performance.now()
    node.child.kill(signal)
    await until(async () => (await send(node.url, 'GET', '/readyz')).json.status === 'draining')
    t.equal((await send(node.url, 'GET', '/readyz')).status, 503, 'the balancer is told')
    t.equal((await send(node.url, 'GET', '/readyz/full')).status, 503)
    t.equal((await send(node.url, 'GET', '/livez')).status, 200)
    t.equal((await send(node.url, 'POST', '/v1/auth/register', { body: { email: `${randomUUID()}@example.com`, password: PASSWORD } })).status, 201, 'and until it has understood, all is served')
    await until(async () => await send(node.url, 'GET', '/livez').then(() => false, () => true), 5_000)
    t.ok(performance.now() - signalledAt >= 1_900, 'the socket closes after the drain and not before')
    t.equal(node.child.exitCode, null, 'it waits for what is in flight')
    inFlight.finish()
    t.equal(await inFlight.status, 201)
    t.equal(await node.ended, 0)
    t.ok(performance.now() - signalledAt < 7_000, 'a connection that a proxy keeps alive does not hold it until the deadline')
    t.match(node.lines.at(-1), /"stopped"/)
  })
}

/** Sends all of a sign-up but its last byte. */
function openRequest ({ url }: NodeProcess): { finish: () => void, status: Promise<number> } {
  const body = JSON.stringify({ email: `${randomUUID()}@example.com`, password: PASSWORD })
  const { port } = new URL(url)
  const agent = new Agent({ keepAlive: true })
  const sent = request({ agent, host: '127.0.0.1', port, method: 'POST', path: '/v1/auth/register', headers: { 'content-type': 'application/json', 'content-length': body.length } })
  const status = once(sent, 'response').then(([answer]) => { answer.resume(); return answer.statusCode as number })
  status.catch(() => {})
  sent.write(body.slice(0, -1))
  return { finish: () => { sent.end(body.slice(-1)) }, status }
}

t.test('a client that never finishes its request does not keep the process or its database from ending', async t => {
  const { folder, postmaster } = await dataFolder(t)
  const node = await startEmbeddedNode(t, folder)
  openRequest(node)
  t.equal((await send(node.url, 'GET', '/livez')).status, 200)
  const signalledAt = performance.now()
  t.equal(await node.stop(), 0)
  t.ok(performance.now() - signalledAt < 11_000, 'ten seconds, and one for a slow machine')
  t.equal(await postmaster(), null)
})

t.test('a second Ctrl-C means now', async t => {
  const node = await startProcess(t, await freshDatabase(t), { env: { DRAIN_SECONDS: '8' } })
  node.child.kill('SIGINT')
  await node.saw('"draining"')
  t.equal(await node.stop('SIGINT'), 130)
})
