import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import t from 'tap'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { send, startProcess, type NodeProcess } from '../helpers/processes.ts'
import { PASSWORD } from '../helpers/world.ts'

const MAX_AGE_MS = 1_000

t.test('keys are rotated by hand under load, and neither a node nor anybody with a cached key set refuses a token', async t => {
  const database = await freshDatabase(t)
  const sql = await sqlTo(t, database)
  const env = { KEY_SLOT_SECONDS: '20', JWKS_MAX_AGE_SECONDS: String(MAX_AGE_MS / 1000) }
  const nodes = await Promise.all([startProcess(t, database, { env }), startProcess(t, database, { env })])
  const account = { email: `${randomUUID()}@example.com`, password: PASSWORD }
  await send(nodes[0]!.url, 'POST', '/v1/auth/register', { body: account })
  await sql('UPDATE users SET roles = \'{admin}\'')
  const { access_token: admin, refresh_token: first } = (await send(nodes[0]!.url, 'POST', '/v1/auth/login', { body: { ...account, refresh: 'body', scope: 'account admin' } })).json

  /** Somebody who uses a key set as long as it may be used, and never asks for an unknown key. */
  const verifiers = nodes.map(node => cachingVerifier(node))
  const faults: string[] = []
  const signers = new Set<string>()
  let refreshToken = first as string
  const turn = async (at: number): Promise<void> => {
    const { status, json } = await send(nodes[at % 2]!.url, 'POST', '/v1/auth/refresh', { body: { refresh_token: refreshToken } })
    if (status !== 200) { faults.push(`refresh ${status} ${json.code}`); return }
    refreshToken = json.refresh_token
    signers.add(decodeProtectedHeader(json.access_token).kid!)
    for (const node of nodes) {
      const verdict = await send(node.url, 'GET', '/v1/auth/verify', { bearer: json.access_token })
      if (verdict.status !== 200) faults.push(`a node answered ${verdict.status}`)
    }
    for (const verifies of verifiers) if (!await verifies(json.access_token)) faults.push('a cached key set did not have the key')
  }

  for (let at = 0; at < 5; at++) await turn(at)
  const { kid, signs_from: signsFrom } = (await send(nodes[0]!.url, 'POST', '/v1/admin/keys/rotate', { bearer: admin })).json
  t.notOk(signers.has(kid))
  for (let at = 0, end = Date.parse(signsFrom) + 2_000; Date.now() < end && faults.length === 0; at++) {
    await turn(at)
    await sleep(50)
  }
  // Where a turn takes seconds, the last may have begun too soon.
  await turn(0)
  t.strictSame(faults, [])
  t.ok(signers.has(kid), 'the new key signs, at the time that was said')
})

function cachingVerifier (node: NodeProcess): (token: string) => Promise<boolean> {
  let cached: { keys: ReturnType<typeof createLocalJWKSet>, at: number } | undefined
  return async token => {
    if (!cached || performance.now() - cached.at > MAX_AGE_MS) {
      const at = performance.now()
      cached = { keys: createLocalJWKSet((await send(node.url, 'GET', '/.well-known/jwks.json')).json), at }
    }
    return await jwtVerify(token, cached.keys).then(() => true, () => false)
  }
}
