import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { sdkProject } from '../helpers/sdk-project.ts'
import { until } from '../helpers/until.ts'
import { elsewhere } from '../helpers/verifier.ts'

// The packed verifier where it says that it runs. The runtimes are 360 MB, so they are no dependency of ours: npm ci in a folder of
// their own, by the lockfile beside this file (Linux on x64).
const runtimes = mkdtempSync(join(tmpdir(), 'runtimes-'))
t.teardown(() => rmSync(runtimes, { recursive: true }))
for (const file of ['package.json', 'package-lock.json']) cpSync(join('test/runtimes', file), join(runtimes, file))
execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--silent'], { cwd: runtimes, stdio: ['ignore', 'ignore', 'inherit'] })
const installed = (path: string): string => join(runtimes, 'node_modules', path)
const BUN = installed('@oven/bun-linux-x64/bin/bun')

const project = sdkProject(t)
for (const file of ['follow.mjs', 'worker.mjs']) cpSync(resolve('test/runtimes', file), join(project, file))

async function setUp (t: Test) {
  const w = await elsewhere(t)
  const [living, ended] = [await w.signIn(), await w.signIn()]
  const end = async ({ refresh_token }: { refresh_token: string }) => await w.call('POST', '/v1/auth/logout', { body: { refresh_token } })
  await end(ended)
  await until(() => w.ctx.revocations.state.log.size === 1)
  return { w, living, ended, end }
}

const commands = {
  'Node.js': [process.execPath],
  Bun: [BUN, 'run'],
  Deno: [installed('@deno/linux-x64-glibc/deno'), 'run', '--no-remote', '--no-prompt', '--allow-net=127.0.0.1', '--node-modules-dir=manual'],
}
for (const [runtime, [command, ...args]] of Object.entries(commands)) {
  t.test(`under ${runtime} the verifier accepts, refuses, follows the feed, and ends when it is closed`, async t => {
    const { w, living, ended, end } = await setUp(t)
    const child = spawn(command!, [...args, 'follow.mjs', w.balancer.url, living.access_token, ended.access_token], {
      cwd: project, env: { HOME: project, DENO_NO_UPDATE_CHECK: '1' }, stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.teardown(() => { child.kill('SIGKILL') })
    const exited = once(child, 'exit')
    const lines = createInterface(child.stdout!)[Symbol.asyncIterator]()
    const next = async (): Promise<unknown> => JSON.parse((await lines.next()).value ?? 'null')
    t.strictSame(await next(), [living.user.id, 'revoked', 'malformed_token'])
    await end(living)
    const endedAt = performance.now()
    t.equal(await next(), 'revoked')
    t.comment(`${Math.round(performance.now() - endedAt)} ms after the ending`)
    t.strictSame(await exited, [0, null])
  })
}

t.test('in a worker at the edge one verifier serves one request after the other, and each hears of what has ended', async t => {
  const { w, living, ended, end } = await setUp(t)
  execFileSync(BUN, ['build', 'worker.mjs', '--target=browser', '--format=esm', '--outfile=bundle.mjs'], { cwd: project, stdio: ['ignore', 'ignore', 'inherit'] })
  const { Miniflare } = createRequire(join(runtimes, 'package.json'))('miniflare')
  const worker = new Miniflare({ modules: [{ type: 'ESModule', path: 'bundle.mjs', contents: readFileSync(join(project, 'bundle.mjs'), 'utf8') }], compatibilityDate: '2026-04-01', cf: false, bindings: { ISSUER: w.balancer.url } })
  t.teardown(async () => await worker.dispose())
  const ask = async (token: string): Promise<string> => {
    const answer = await worker.dispatchFetch('http://worker.example/', { headers: { authorization: `Bearer ${token}` } })
    return await answer.text()
  }
  t.equal(await ask(living.access_token), living.user.id)
  t.equal(await ask(ended.access_token), 'revoked')
  t.strictSame(await Promise.all(Array.from({ length: 20 }, async () => await ask(living.access_token))), Array(20).fill(living.user.id))
  await new Promise(resolve => setTimeout(resolve, 3_000))
  t.equal(await ask(living.access_token), living.user.id, 'after a while in which nothing ran')
  await end(living)
  await until(async () => await ask(living.access_token) === 'revoked', 5_000)
  t.equal(await ask((await w.signIn()).access_token).then(sub => sub.length), 36)
})
