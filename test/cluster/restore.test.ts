import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { promisify } from 'node:util'
import { decodeJwt } from 'jose'
import t from 'tap'
import { revocationId } from '../../src/lib/digest.ts'
import { createVerifier, type VerifierEvent } from '../../src/sdk/verifier/index.ts'
import { sqlTo } from '../helpers/database.ts'
import { ownPostgres } from '../helpers/own-postgres.ts'
import { proxy } from '../helpers/proxy.ts'
import { send, startProcess } from '../helpers/processes.ts'
import { until } from '../helpers/until.ts'
import { PASSWORD } from '../helpers/world.ts'

/** With owners and modes, as a backup has them. */
const copy = async (from: string, to: string) => await promisify(execFile)('cp', ['-a', from, to])

t.test('a backup from before is restored under a running node: its feed begins anew, followers go on, and who signed in before still is', async t => {
  const postgres = await ownPostgres(t)
  const backup = `${postgres.data}.backup`
  const balancer = await proxy(t)
  const node = await startProcess(t, postgres.url, { env: { PUBLIC_URL: balancer.url } })
  balancer.to(node.url)
  const account = { email: 'restored@example.com', password: PASSWORD }
  await send(node.url, 'POST', '/v1/auth/register', { body: account })
  const signIn = async () => (await send(node.url, 'POST', '/v1/auth/login', { body: { ...account, refresh: 'body' } })).json as { access_token: string, refresh_token: string }
  const [before, during, meanwhile] = [await signIn(), await signIn(), await signIn()]
  const feed = async (query = '') => (await send(node.url, 'GET', `/v1/revocations${query}`)).json

  await postgres.stop('SIGINT')
  await copy(postgres.data, backup)
  await postgres.start()
  await until(async () => (await send(node.url, 'GET', '/readyz/full')).status === 200, 15_000)

  const events: VerifierEvent[] = []
  const verifier = createVerifier({ issuer: balancer.url, audience: balancer.url, onEvent: event => { events.push(event) } })
  t.teardown(() => verifier.close())
  const isGood = async (token: string): Promise<boolean> => await verifier.verify(token).then(() => true, () => false)
  for (let round = 0; round < 20; round++) await send(node.url, 'POST', '/v1/auth/logout', { body: { refresh_token: (await signIn()).refresh_token } })
  await send(node.url, 'POST', '/v1/auth/logout', { body: { refresh_token: during.refresh_token } })
  await until(async () => !await isGood(during.access_token))
  const { cursor } = await feed()

  // The node sleeps, so that something ends on the new timeline before it has read from that once.
  node.child.kill('SIGSTOP')
  await postgres.stop('SIGINT')
  await rm(postgres.data, { recursive: true })
  await copy(backup, postgres.data)
  await postgres.start()
  const sql = await sqlTo(t, postgres.url)
  await sql("INSERT INTO revocation (kind, id, expires_at) VALUES ('s', $1, now() + interval '10 min')", [revocationId('s', decodeJwt(meanwhile.access_token)['sid'] as string)])
  node.child.kill('SIGCONT')
  // As soon as the node has read again: whatever it was reading before the outage is no answer.
  await until(async () => (await feed(`?since=${cursor}`)).full, 15_000)
  t.equal((await feed(`?since=${cursor}`)).e.length, 1, 'who comes with a cursor from the time that never was gets everything anew, and nothing of that time')
  t.equal((await send(node.url, 'GET', '/v1/auth/verify', { bearer: meanwhile.access_token })).status, 401, 'what ended before the node had read again is not missed')
  t.equal((await send(node.url, 'GET', '/v1/auth/verify', { bearer: during.access_token })).status, 200, 'and what never happened is taken back')
  t.equal((await send(node.url, 'POST', '/v1/auth/refresh', { body: { refresh_token: before.refresh_token } })).status, 200)

  const ended = await signIn()
  t.ok(await isGood(ended.access_token))
  await send(node.url, 'POST', '/v1/auth/logout', { body: { refresh_token: ended.refresh_token } })
  await until(async () => !await isGood(ended.access_token), 10_000)
  t.pass('a follower from before the restore hears of what ends after it')
  t.ok(await isGood(before.access_token))
  t.equal(node.child.exitCode, null)
})
