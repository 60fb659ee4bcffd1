// What scripts/image-check.sh asks of a built image. One broken promise ends it with 1 and a sentence.
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort, startEmbedded } from '../src/db/embedded/start.ts'

const tag = process.argv[2]!
const runImage = join(process.env['IMAGE_TOOLS']!, 'run-image.sh')
const running = new Set<ChildProcess>()

/** A container of the image; `output` collects both streams. */
function run (env: Record<string, string>, command: string[] = []) {
  const child = spawn(runImage, [tag, ...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...(command.length > 0 ? ['--', ...command] : [])], { stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  const container = { child, output: '', ended: once(child, 'close').then(([code]) => { running.delete(child); return code as number | null }) }
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => { container.output += chunk.toString() })
  return container
}

/** The service inside a container: the descendant of run-image.sh that became node. */
async function serviceOf (pid: number): Promise<number | null> {
  // Of every thread: buildah is a Go program, and starts its children from any of them.
  const threads = await readdir(`/proc/${pid}/task`).catch(() => [])
  const children = await Promise.all(threads.map(async thread => await readFile(`/proc/${pid}/task/${thread}/children`, 'utf8').catch(() => '')))
  for (const child of children.join(' ').split(' ').filter(Boolean).map(Number)) {
    const args = (await readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => '')).split('\0')
    if (args[0] === 'node' && args.some(arg => arg.endsWith('/dist/cli/main.js'))) return child
    const found = await serviceOf(child)
    if (found !== null) return found
  }
  return null
}

async function waitFor<T> (what: string, container: ReturnType<typeof run>, look: () => Promise<T | null>): Promise<T> {
  for (let waited = 0; waited < 60_000; waited += 5) {
    const found = await look()
    if (found !== null) return found
    if (container.child.exitCode !== null) break
    await sleep(5)
  }
  throw new Error(`no ${what}:\n${container.output.slice(-2_000)}`)
}

const status = async (pid: number, name: string) => new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(await readFile(`/proc/${pid}/status`, 'utf8'))![1]!

const report = (name: string, value: string) => { process.stdout.write(`${name.padEnd(24)}  ${value}\n`) }

/** Runs inside the image and prints what should not be there. */
const lookInside = `
const { readdirSync, existsSync, accessSync, constants } = require('fs')
const entries = readdirSync('/app', { recursive: true, withFileTypes: true }).map(entry => entry.parentPath + '/' + entry.name)
const packages = entries.flatMap(path => /^\\/app\\/(.*node_modules\\/(?:@[^/]+\\/)?[^/@]+)\\/package.json$/.exec(path)?.[1] ?? [])
const writable = path => { try { accessSync(path, constants.W_OK); return true } catch { return false } }
console.log(JSON.stringify({
  uid: process.getuid(),
  packages,
  files: entries.filter(path => /\\.(d\\.[cm]?ts|ts|map)$|postgres$|schema-engine/.test(path)).slice(0, 10),
  left: ['/root/.npm/_cacache', '/home/node/.npm', '/usr/bin/g++', '/usr/bin/make', '/build'].filter(existsSync),
  writable: ['/app', ...entries].filter(writable).slice(0, 10),
}))
require('/app/node_modules/argon2').hash('x').then(hash => console.log(process.env.PREBUILDS_ONLY, hash.slice(0, 9)))
`

async function contents (): Promise<void> {
  const inside = run({ PREBUILDS_ONLY: '1' }, ['node', '-e', lookInside])
  const code = await inside.ended
  assert.equal(code, 0, `looking inside ended with ${code}:\n${inside.output}`)
  const { packages, ...found } = JSON.parse(inside.output.split('\n').find(line => line.startsWith('{'))!) as { packages: string[] }
  assert.deepEqual(found, { uid: 1000, files: [], left: [], writable: [] }, 'what is in the image')
  const { packages: locked } = JSON.parse(await readFile('package-lock.json', 'utf8')) as { packages: Record<string, { dev?: true, optional?: true, devOptional?: true }> }
  assert.ok(packages.includes('node_modules/fastify'), 'the packages were found')
  assert.deepEqual(packages.filter(path => !locked[path] || locked[path].dev || locked[path].optional || locked[path].devOptional), [], 'packages of development in the image')
  assert.match(inside.output, /^1 \$argon2id/m, 'the prebuilt argon2 works, for CPUs without AVX2')
  report('contents', `uid 1000, ${packages.length} packages, none of development, nothing it may write`)
}

/** A cache that cannot be read, or was made for another Node.js, is ignored in silence. */
async function usesItsCompileCache (): Promise<void> {
  const container = run({ NODE_DEBUG_NATIVE: 'COMPILE_CACHE' }, ['node', '--min-semi-space-size=4', '--max-semi-space-size=4', '/app/dist/cli/main.js', 'config', 'check'])
  await container.ended
  assert.match(container.output, /V8 code cache for ESM file:\/\/\/app\/dist\/run-\w+\.js was accepted/, 'the compile cache of the image is used')
  report('compile cache', 'used')
}

async function refusesWithoutKey (databaseUrl: string): Promise<void> {
  const container = run({ DATABASE_URL: databaseUrl, PUBLIC_URL: 'http://localhost:3000' })
  const code = await container.ended
  assert.notEqual(code, 0, 'without KEY_ENCRYPTION_KEY it must not start')
  assert.match(container.output, /KEY_ENCRYPTION_KEY is required/)
  assert.doesNotMatch(container.output, /^\s+at /m, 'an operator reads a sentence, not a stack')
  report('without a key', `refused (${code})`)
}

async function useIt (url: string): Promise<void> {
  const send = async (method: string, path: string, expected: number, { body, bearer }: { body?: object, bearer?: string } = {}) => {
    const answer = await fetch(url + path, {
      method,
      headers: { ...(body && { 'content-type': 'application/json' }), ...(bearer && { authorization: `Bearer ${bearer}` }) },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    assert.equal(answer.status, expected, `${method} ${path} answered ${answer.status} ${text}`)
    return text === '' ? null : JSON.parse(text)
  }
  const credentials = { email: 'image@example.com', password: 'a long enough pass phrase' }
  await send('POST', '/v1/auth/register', 201, { body: credentials })
  const first = await send('POST', '/v1/auth/login', 200, { body: { ...credentials, refresh: 'body' } })
  await send('GET', '/v1/auth/verify', 200, { bearer: first.access_token })
  const second = await send('POST', '/v1/auth/refresh', 200, { body: { refresh_token: first.refresh_token } })
  await send('GET', '/v1/auth/verify', 200, { bearer: second.access_token })
  await send('POST', '/v1/auth/logout', 204, { body: { refresh_token: second.refresh_token } })
  await send('GET', '/v1/auth/verify', 401, { bearer: second.access_token })
  report('in use', 'sign-up, sign-in, verify, refresh, sign-out')
}

async function fastestArgon2 (pid: number): Promise<void> {
  const loaded = /\S*argon2\S*\.node/.exec(await readFile(`/proc/${pid}/maps`, 'utf8'))?.[0] ?? 'none'
  const flags = (/^flags\s*:(.*)$/m.exec(await readFile('/proc/cpuinfo', 'utf8'))?.[1] ?? '').split(' ')
  const has = (...names: string[]) => names.every(name => flags.includes(name))
  const expected = has('avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl', 'avx2') ? 'argon2/v4/' : has('avx2', 'bmi2', 'fma') ? 'argon2/v3/' : 'argon2/prebuilds/'
  assert.ok(loaded.includes(expected), `argon2 is loaded from ${loaded}, and this CPU could use ${expected}`)
  report('argon2', expected)
}

/** What is loaded only where somebody asks for it must be in the image too; nobody listens there. */
const EVERYTHING = { DOCS: 'true', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', BREACHED_PASSWORDS_URL: 'http://127.0.0.1:9', OTEL_BSP_SCHEDULE_DELAY: '100' }

async function besides (url: string): Promise<void> {
  for (const path of ['/docs/', '/openapi.json', '/openapi.yaml']) assert.equal((await fetch(url + path)).status, 200, path)
  const port = await freePort()
  const verifier = run({ MODE: 'verifier', UPSTREAM_URL: url, PUBLIC_URL: url.replace('127.0.0.1', 'localhost'), PORT: String(port), METRICS_PORT: '0' })
  const pid = await waitFor('verifier', verifier, async () => await serviceOf(verifier.child.pid!))
  await waitFor('answer from the verifier', verifier, async () => await fetch(`http://127.0.0.1:${port}/readyz`).then(answer => answer.ok || null, () => null))
  process.kill(pid, 'SIGTERM')
  assert.equal(await verifier.ended, 0, verifier.output.slice(-2_000))
  report('besides', 'API reference, OpenTelemetry, MODE=verifier')
}

async function serves (databaseUrl: string): Promise<void> {
  const [port, metricsPort] = [await freePort(), await freePort()]
  const env = { DATABASE_URL: databaseUrl, KEY_ENCRYPTION_KEY: `k:${randomBytes(32).toString('base64')}`, PUBLIC_URL: `http://localhost:${port}`, REQUIRE_VERIFIED_EMAIL: 'false', PORT: String(port), METRICS_PORT: String(metricsPort) }
  const isReady = async () => await fetch(`http://127.0.0.1:${port}/readyz`).then(answer => answer.ok || null, () => null)
  // Only the first start has the database to migrate. In the last, what is pid 1 elsewhere is the primary.
  for (const [name, workers] of [['first start to ready', '1'], ['next start to ready', '1'], ['two workers to ready', '2']] as const) {
    const all = workers === '1' ? {} : EVERYTHING
    const container = run({ ...env, ...all, WORKERS: workers })
    const pid = await waitFor('process of the service', container, async () => await serviceOf(container.child.pid!))
    const seen = performance.now()
    await waitFor('answer from /readyz', container, isReady)
    report(name, `${Math.round(performance.now() - seen)} ms`)
    assert.equal(await status(pid, 'Uid'), '1000', 'it runs as uid 1000')
    await sleep(2_000)
    const megabytes = Math.round(Number(await status(pid, 'VmRSS')) / 1024)
    report('idle RSS', `${megabytes} MB`)
    assert.ok(megabytes < 140, 'an idle node stays small')
    if (name.startsWith('first')) {
      await fastestArgon2(pid)
      await useIt(`http://127.0.0.1:${port}`)
      assert.equal(await run({ PORT: String(port) }, ['node', '/app/docker/healthcheck.mjs']).ended, 0, 'the health check passes while it runs')
    }
    if (workers !== '1') await besides(`http://127.0.0.1:${port}`)
    const metrics = await fetch(`http://127.0.0.1:${metricsPort}/metrics`)
    assert.match(await metrics.text(), /^stateless_auth_feed_staleness_seconds [0-4]\./m, 'metrics on their own port')
    const began = performance.now()
    process.kill(pid, 'SIGTERM')
    const code = await container.ended
    assert.equal(code, 0, `SIGTERM ended it with ${code}:\n${container.output.slice(-2_000)}`)
    report('SIGTERM', `ended with 0 in ${((performance.now() - began) / 1000).toFixed(1)} s, 3 of them the drain`)
  }
  assert.notEqual(await run({ PORT: String(port) }, ['node', '/app/docker/healthcheck.mjs']).ended, 0, 'the health check fails when nothing runs')
}

/** Containers that a failure left behind: the service first, then what started it removes the container. */
async function endAll (): Promise<void> {
  for (const child of running) {
    const pid = await serviceOf(child.pid!)
    if (pid !== null) process.kill(pid, 'SIGKILL')
    else child.kill('SIGTERM')
  }
}

const folder = await mkdtemp(join(tmpdir(), 'image-check-'))
await chmod(folder, 0o755)
const database = await startEmbedded(folder)
try {
  await contents()
  await usesItsCompileCache()
  await refusesWithoutKey(database.url)
  await serves(database.url)
  process.stdout.write('The image keeps its promises.\n')
} catch (error) {
  process.exitCode = 1
  process.stderr.write(`image check: ${(error as Error).message}\n`)
} finally {
  await endAll()
  await database.stop()
  for (const path of [folder, database.folder]) await rm(path, { recursive: true, force: true })
}
