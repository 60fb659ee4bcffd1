import { execFile } from 'node:child_process'
import { userInfo } from 'node:os'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { freePort } from '../../src/db/embedded/start.ts'
import { until } from '../helpers/until.ts'
import { learnsOfEndings } from './support/endings.ts'
import { requireInstalled, run, scratch, type Running } from './support/gateway.ts'
import { letsNothingBeSmuggled } from './support/requests.ts'
import { AUDIENCE, behind, scene, type Protected } from './support/scene.ts'
import { judgesRsaTokens, judgesTokens } from './support/tokens.ts'

const haproxy = requireInstalled('/usr/sbin/haproxy', 'haproxy')
const FOLLOW = 'deploy/gateways/haproxy/follow.mjs'
const CONFIG = 'deploy/gateways/haproxy/haproxy.cfg'

type Guarded = Protected & { haproxy: Running, follower: Running, follow: () => Promise<Running> }

async function guarded (t: Test, env: Record<string, string> = {}, settings: Record<string, string> = {}): Promise<Guarded> {
  const from = await scene(t, env)
  const state = scratch(t)
  const port = await freePort()
  const followerEnv = { STATELESS_AUTH: from.service.url, STATE: state, MASTER_SOCKET: `${state}/master.sock`, ...settings }
  await promisify(execFile)(process.execPath, [FOLLOW, '--once'], { env: followerEnv, timeout: 20_000 })
  const process_ = await run(t, haproxy, ['-W', '-S', `${state}/master.sock`, '-f', CONFIG], {
    port,
    env: {
      LISTEN: `127.0.0.1:${port}`, UPSTREAM: `127.0.0.1:${from.upstream.port}`, PUBLIC_URL: from.service.url, TOKEN_AUDIENCE: AUDIENCE, STATE: state,
      RUN_AS: userInfo().uid === 0 ? 'haproxy' : userInfo().username, ...settings,
    },
  })
  const follow = async () => await run(t, process.execPath, [FOLLOW], { env: followerEnv })
  const follower = await follow()
  const p = await behind(from, { port, verifiesItself: true })
  await until(async () => (await p.ask('/private', { bearer: p.mine.access_token })).status === 200, 5_000).catch(error => { throw new Error(`${error.message}\n${follower.output()}\n${process_.output()}`) })
  p.upstream.arrivals()
  return { ...p, haproxy: process_, follower, follow }
}

t.test('HAProxy lets in what it has verified itself, and nothing else', async t => {
  const p = await guarded(t)
  await t.test('tokens', async t => await judgesTokens(t, p))
  await t.test('requests', async t => await letsNothingBeSmuggled(t, p))
  await t.test('endings', async t => await learnsOfEndings(t, p))
  t.equal(p.service.count('/v1/auth/verify'), 0, 'it never asked')
})

t.test('with RS256 a token is good under RS256 only', async t => await judgesRsaTokens(t, await guarded(t, { SIGNING_ALG: 'RS256' })))
