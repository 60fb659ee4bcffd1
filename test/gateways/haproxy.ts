import { execFile, execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { setTimeout } from 'node:timers/promises'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import t, { type Test } from 'tap'
import { freePort } from '../../src/db/embedded/start.ts'
import { revocationId, type RevocationKind } from '../../src/lib/digest.ts'
import { newClient } from '../helpers/oauth.ts'
import { until } from '../helpers/until.ts'
import { PASSWORD, type Tokens } from '../helpers/world.ts'
import { carriesRoles } from './support/claims.ts'
import { learnsOfEndings } from './support/endings.ts'
import { requireInstalled, run, scratch, type Running } from './support/gateway.ts'
import { letsNothingBeSmuggled } from './support/requests.ts'
import { AUDIENCE, behind, scene, type Protected, type Scene } from './support/scene.ts'
import { judgesRsaTokens, judgesTokens } from './support/tokens.ts'

const haproxy = requireInstalled('/usr/sbin/haproxy', 'haproxy')
const FOLLOW = 'deploy/gateways/haproxy/follow.mjs'
const CONFIG = 'deploy/gateways/haproxy/haproxy.cfg'

/** As root it changes to the account of Debian's package; anybody else stays who they are. */
const account = userInfo().uid === 0 ? {} : { RUN_AS: userInfo().username, RUN_AS_GROUP: execFileSync('id', ['-gn'], { encoding: 'utf8' }).trim() }

type Guarded = Protected & { state: string, haproxy: Running, follower: Running, follow: () => Promise<Running> }

type Settings = Record<string, string> | ((from: Scene) => Promise<Record<string, string>>)

async function guarded (t: Test, env: Record<string, string> = {}, settings: Settings = {}): Promise<Guarded> {
  const from = await scene(t, env)
  const more = typeof settings === 'function' ? await settings(from) : settings
  const state = scratch(t)
  const port = await freePort()
  const followerEnv = { STATELESS_AUTH: from.service.url, STATE: state, MASTER_SOCKET: `${state}/master.sock`, ...more }
  await promisify(execFile)(process.execPath, [FOLLOW, '--once'], { env: followerEnv, timeout: 20_000 })
  const process_ = await run(t, haproxy, ['-W', '-S', `${state}/master.sock`, '-f', CONFIG], {
    port,
    env: {
      LISTEN: `127.0.0.1:${port}`, UPSTREAM: `127.0.0.1:${from.upstream.port}`, PUBLIC_URL: from.service.url, TOKEN_AUDIENCE: AUDIENCE, STATE: state,
      ...account, ...more,
    },
  })
  const follow = async () => await run(t, process.execPath, [FOLLOW], { env: followerEnv })
  const follower = await follow()
  const p = await behind(from, { port })
  await until(async () => (await p.ask('/private', { bearer: p.mine.access_token })).status === 200, 5_000).catch(error => { throw new Error(`${error.message}\n${follower.output()}\n${process_.output()}`) })
  p.upstream.arrivals()
  return { ...p, state, haproxy: process_, follower, follow }
}

const soon = 8_000

t.test('HAProxy lets in what it has verified itself, and nothing else', async t => {
  const p = await guarded(t)
  await t.test('tokens', async t => await judgesTokens(t, p))
  await t.test('requests', async t => await letsNothingBeSmuggled(t, p))
  await t.test('roles and claims', async t => await carriesRoles(t, p, { asksNobody: true }))
  await t.test('endings', async t => await learnsOfEndings(t, p))
  t.equal(p.service.count('/v1/auth/verify'), 0, 'it never asked')
})

t.test('with RS256 a token is good under RS256 only', async t => await judgesRsaTokens(t, await guarded(t, { SIGNING_ALG: 'RS256' })))

t.test('each kind of ending refuses, and its near misses do not', async t => {
  const p = await guarded(t)
  const end = async (kind: RevocationKind, value: string, val = 0) => {
    const id = revocationId(kind, value)
    await p.sql("INSERT INTO revocation (kind, id, val, expires_at) VALUES ($1, $2, $3, now() + interval '10 min')", [kind, id, val])
    await until(() => readFileSync(join(p.state, 'ended.map'), 'utf8').includes(`${id.toString('base64url')} ${val}\n`), soon)
    await setTimeout(200)
  }
  const status = async (token: string) => (await p.ask('/private', { bearer: token })).status
  const claimed = (token: string) => ({ ...decodeJwt(token), ...decodeProtectedHeader(token) }) as { sid: string, sub: string, jti: string, ver: number, iat: number, kid: string }
  const { access_token: token } = p.mine
  const { sid, sub, ver, iat, kid } = claimed(token)
  for (const [kind, value, val] of [['s', sub], ['u', sid, 99], ['u', sub, ver], ['j', sid], ['k', `${kid}x`], ['a', '', iat], ['a', 'x', iat + 99], ['s', kid]] as const) await end(kind, value, val)
  t.equal(await status(token), 200, 'eight near misses')
  for (const kind of ['s', 'u', 'j', 'a', 'k'] as const) {
    // After `a` only tokens of the next second are good.
    let another = ''
    await until(async () => await status(another = (await p.signIn()).access_token) === 200, soon)
    const { sid, sub, jti, ver, iat } = claimed(another)
    if (kind !== 'a' && kind !== 'k') t.equal(await status(token), 200, 'a bystander')
    const [value, val] = { s: [sid, 0], u: [sub, ver + 1], j: [jti, 0], a: ['', iat + 1], k: [kid, 0] }[kind] as [string, number]
    await end(kind, value, val)
    t.equal(await status(another), 401, kind)
  }
  t.equal(await status(token), 401)
})

t.test('where the feed is for clients only, the follower is one', async t => {
  const p = await guarded(t, { FEED_ACCESS: 'client' }, async ({ ctx }) => {
    const { id, secret } = await newClient({ ctx })
    return { CLIENT_ID: id, CLIENT_SECRET: secret }
  })
  await p.call('POST', '/v1/auth/logout', { body: { refresh_token: p.mine.refresh_token } })
  await until(async () => (await p.ask('/private', { bearer: p.mine.access_token })).status === 401, soon)
  t.equal(p.service.seen.filter(({ path, headers }) => path.startsWith('/v1/revocations') && !headers.authorization).length, 0)
})

t.test('while the service is away HAProxy goes on for the time it was given, then says 503, and catches up', async t => {
  const p = await guarded(t, {}, { MAX_SILENCE_SECONDS: '4' })
  const { ask, mine, service, address, upstream } = p
  const ending = await p.signIn()
  service.to(null)
  t.equal((await ask('/private', { bearer: mine.access_token })).status, 200, 'at first it goes on')
  await until(async () => (await ask('/private', { bearer: mine.access_token })).status === 503, soon)
  const answer = await ask('/private', { bearer: mine.access_token })
  t.match([answer.status, answer.headers['retry-after'], answer.body], [503, /^\d+$/, /"code":"stale_revocations"/])
  t.equal((await ask('/private')).status, 503, 'nor is anybody told to sign in')
  upstream.arrivals()
  t.equal((await ask('/public/page')).status, 200, 'what is public stays open')
  await p.call('POST', '/v1/auth/logout', { body: { refresh_token: ending.refresh_token } })
  service.to(address)
  await until(async () => (await ask('/private', { bearer: mine.access_token })).status === 200, soon)
  t.equal((await ask('/private', { bearer: ending.access_token })).status, 401, 'what ended meanwhile is known before anything is let in')
  t.match(p.follower.output(), /fetch failed.*\nfollowing again/s)
})

t.test('what has ended stays ended when HAProxy is reloaded or dies, and when the follower dies', async t => {
  const p = await guarded(t)
  const { ask, upstream } = p
  const [first, second] = [await p.signIn(), await p.signIn()]
  const status = async ({ access_token: token }: { access_token: string }) => { const answer = await ask('/private', { bearer: token }); upstream.arrivals(); return answer.status }
  const end = async ({ refresh_token: token }: { refresh_token: string }) => await p.call('POST', '/v1/auth/logout', { body: { refresh_token: token } })
  await end(first)
  await until(async () => await status(first) === 401)
  p.follower.child.kill('SIGKILL')
  const workers = () => p.haproxy.output().match(/New worker \(\d+\) forked/g)?.length ?? 0
  const before = workers()
  p.haproxy.child.kill('SIGUSR2')
  await until(() => workers() > before, soon)
  for (let attempt = 0; attempt < 20; attempt++) t.equal(await status(first), 401, 'after a reload without a follower')
  t.equal(await status(second), 200)
  await end(second)
  const again = await p.follow()
  await until(async () => await status(second) === 401, soon).catch(error => { throw new Error(`${error.message}\n${again.output()}`) })
  t.equal(await status(first), 401)
  t.equal(await status(p.mine), 200)
})

t.test('when every key is revoked HAProxy has the new ones within seconds, and has thrown the old ones away', async t => {
  const p = await guarded(t)
  const kids = () => readFileSync(join(p.state, 'keys.map'), 'utf8').trim().split('\n').map(line => line.split(' ')[0]!).sort()
  const published = async () => (await p.call('GET', '/.well-known/jwks.json')).json<{ keys: { kid: string }[] }>().keys.map(({ kid }) => kid).sort()
  const before = await published()
  t.strictSame(kids(), before)
  for (const kid of before) await p.operator('keys', 'revoke', kid)
  const { email } = await p.signUp()
  const signIn = async () => await p.call('POST', '/v1/auth/login', { body: { email, password: PASSWORD, refresh: 'body' } })
  let token = ''
  // A 503 while the new keys are being made.
  await until(async () => {
    const answer = await signIn()
    if (answer.statusCode !== 503) token = answer.json<Tokens>().access_token
    return token !== '' && !before.includes(decodeProtectedHeader(token).kid!)
  }, soon)
  await until(async () => (await p.ask('/private', { bearer: token })).status === 200, 15_000)
  t.equal((await p.ask('/private', { bearer: p.mine.access_token })).status, 401)
  t.strictSame(kids(), await published())
  t.notOk(kids().some(kid => before.includes(kid)))
})

t.test('a node that is cut off from its database still counts, unless the operator says otherwise', async t => {
  const settings = { MAX_SILENCE_SECONDS: '4' }
  const [lenient, strict] = [await guarded(t, {}, settings), await guarded(t, {}, { ...settings, FRESHNESS: 'database' })]
  for (const { ctx } of [lenient, strict]) ctx.revocations.stop()
  await until(async () => (await strict.ask('/private', { bearer: strict.mine.access_token })).status === 503, soon)
  t.equal((await lenient.ask('/private', { bearer: lenient.mine.access_token })).status, 200)
})

t.test('ten thousand endings fit, and the next one is heard in time', async t => {
  const p = await guarded(t)
  const ending = await p.signIn()
  await p.sql("INSERT INTO revocation (kind, id, expires_at) SELECT 's', substr(sha256(n::text::bytea), 1, 12), now() + interval '10 min' FROM generate_series(1, 10000) n")
  await until(() => readFileSync(join(p.state, 'ended.map'), 'utf8').split('\n').length > 10_000, soon)
  await p.call('POST', '/v1/auth/logout', { body: { refresh_token: ending.refresh_token } })
  const began = performance.now()
  await until(async () => (await p.ask('/private', { bearer: ending.access_token })).status === 401, soon)
  t.comment(`with 10,000 live endings: ${Math.round(performance.now() - began)} ms`)
  t.equal((await p.ask('/private', { bearer: p.mine.access_token })).status, 200)
  await p.sql("UPDATE revocation SET expires_at = now() - interval '1 s'")
  await p.sql('DELETE FROM revocation WHERE expires_at < now()')
})

t.test('without the service the follower says so in a sentence, and HAProxy is not started on nothing', async t => {
  const state = scratch(t)
  const { code, stderr } = await promisify(execFile)(process.execPath, [FOLLOW, '--once'], { env: { STATE: state, STATELESS_AUTH: 'http://127.0.0.1:1' } }).then(() => ({ code: 0, stderr: '' }), error => error)
  t.equal(code, 1)
  t.equal(stderr.trim().split('\n').length, 1, stderr)
  t.strictSame(readdirSync(state), [])
})
