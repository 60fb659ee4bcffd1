import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import t from 'tap'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { send, startProcess, type NodeProcess } from '../helpers/processes.ts'
import { PASSWORD } from '../helpers/world.ts'

const SLOT_SECONDS = 4
const KEYS = 5
/** Keys that were there before anybody watched do not count: when they were first shown was not seen. */
const WATCHED_KEYS = 3
const MAX_AGE_MS = 1_000

/** When a node showed each key for the first time, as somebody sees who fetches the JWKS all the time. */
async function watchJwks (node: NodeProcess) {
  const firstSeen = new Map<string, number>()
  const fetchKeys = async () => {
    const { json } = await send(node.url, 'GET', '/.well-known/jwks.json')
    for (const { kid } of json.keys as { kid: string }[]) if (!firstSeen.has(kid)) firstSeen.set(kid, performance.now())
    return json as Parameters<typeof createLocalJWKSet>[0]
  }
  await fetchKeys()
  return { node, firstSeen, fetchKeys, atFirst: [...firstSeen.keys()] }
}

t.test('two nodes without a leader change their signing key again and again, and nobody who verifies notices', async t => {
  const database = await freshDatabase(t)
  const env = { KEY_SLOT_SECONDS: String(SLOT_SECONDS), JWKS_MAX_AGE_SECONDS: String(MAX_AGE_MS / 1000) }
  const nodes = await Promise.all([startProcess(t, database, { env }), startProcess(t, database, { env })])
  const watchers = await Promise.all(nodes.map(watchJwks))
  const account = { email: `${randomUUID()}@example.com`, password: PASSWORD }
  await send(nodes[0]!.url, 'POST', '/v1/auth/register', { body: account })
  const signIn = async (node: NodeProcess) => (await send(node.url, 'POST', '/v1/auth/login', { body: { ...account, refresh: 'body' } })).json

  const oldest = await signIn(nodes[0]!)
  let refreshToken = oldest.refresh_token as string
  const firstSigned = new Map<string, number>()
  const issued = [oldest.access_token as string]
  const faults: string[] = []
  const end = performance.now() + 2 * KEYS * SLOT_SECONDS * 1000
  const unwatched = new Set(watchers.flatMap(({ atFirst }) => atFirst))
  const watched = () => [...firstSigned].filter(([kid]) => !unwatched.has(kid))
  for (let turn = 0; (firstSigned.size < KEYS || watched().length < WATCHED_KEYS) && performance.now() < end; turn++) {
    for (const { fetchKeys } of watchers) await fetchKeys()
    const asked = performance.now()
    const { status, json } = await send(nodes[turn % 2]!.url, 'POST', '/v1/auth/refresh', { body: { refresh_token: refreshToken } })
    if (status !== 200) { faults.push(`refresh answered ${status} ${json.code}`); break }
    refreshToken = json.refresh_token
    issued.push(json.access_token)
    const { kid } = decodeProtectedHeader(json.access_token)
    if (!firstSigned.has(kid!)) firstSigned.set(kid!, asked)
    for (const token of [json.access_token, oldest.access_token]) {
      for (const { node } of watchers) {
        const verdict = await send(node.url, 'GET', '/v1/auth/verify', { bearer: token })
        if (verdict.status !== 200) faults.push(`turn ${turn}: verify answered ${verdict.status}`)
      }
    }
    await sleep(150)
  }
  t.strictSame(faults, [], `${issued.length} tokens were good on both nodes, the oldest all the time`)
  t.ok(firstSigned.size >= KEYS)

  t.ok(watched().length >= WATCHED_KEYS)
  for (const [kid, signedAt] of watched()) {
    for (const { firstSeen } of watchers) t.ok(signedAt - firstSeen.get(kid)! > MAX_AGE_MS, 'a key is shown longer than anybody may cache the list, before it signs')
  }
  for (const { fetchKeys } of watchers) {
    const keySet = createLocalJWKSet(await fetchKeys())
    await t.resolves(Promise.all(issued.map(async token => await jwtVerify(token, keySet))), 'tokens of retired keys still verify with the published keys')
  }
  t.equal((await send(nodes[1]!.url, 'POST', '/v1/auth/refresh', { body: { refresh_token: oldest.refresh_token } })).status, 401, 'reuse is seen across key changes')
  const sql = await sqlTo(t, database)
  t.strictSame(await sql('SELECT use, slot FROM signing_key GROUP BY use, slot HAVING count(*) <> 1'), [], 'one key a use and slot')
})
