import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { faultsOf, packVerifier } from '../../scripts/pack-sdk.ts'
import { sdkProject } from '../helpers/sdk-project.ts'
import { until } from '../helpers/until.ts'
import { elsewhere } from '../helpers/verifier.ts'

const run = promisify(execFile)

/** Runs in a realm of its own that has what every runtime of the web has, and nothing of Node.js. */
const RUN = `
import { readFile } from 'node:fs/promises'
import { createContext, SourceTextModule } from 'node:vm'
const web = { AbortController, AbortSignal, atob, btoa, clearTimeout, crypto, CryptoKey, fetch, Headers, performance, ReadableStream, Response, setTimeout, structuredClone, TextDecoder, TextEncoder, URL }
const context = createContext({ ...web, given: JSON.parse(process.argv[2]), answer: {} })
const loaded = new Map()
const load = async (name, from) => {
  const identifier = import.meta.resolve(name.startsWith('.') ? new URL(name, from).href : name)
  if (!loaded.has(identifier)) loaded.set(identifier, readFile(new URL(identifier), 'utf8').then(source => new SourceTextModule(source, { identifier, context })))
  return await loaded.get(identifier)
}
const main = new SourceTextModule(\`
  import { createVerifier, VerifierError } from 'stateless-auth-verifier'
  import { authenticate as fastify } from 'stateless-auth-verifier/fastify'
  import { authenticate as express } from 'stateless-auth-verifier/express'
  import { authenticate as hono } from 'stateless-auth-verifier/hono'
  const { issuer, token, revoked } = given
  const verifier = createVerifier({ issuer, audience: 'https://api.example' })
  answer.sub = (await verifier.verify(token, { maxStaleness: 30 })).sub
  answer.refusal = await verifier.verify(revoked).catch(error => error instanceof VerifierError ? error.code : String(error))
  answer.node = [typeof process, typeof Buffer, typeof require, typeof setImmediate]
  answer.frameworks = [fastify, express, hono].map(authenticate => typeof authenticate(verifier))
  verifier.close()
\`, { identifier: import.meta.url, context })
await main.link(async (name, { identifier }) => await load(name, identifier))
await main.evaluate()
console.log(JSON.stringify(context.answer))
`

const CONSUMER = `
import { createVerifier, VerifierError, type AccessClaims, type Verifier, type VerifierErrorCode, type VerifierEvent } from 'stateless-auth-verifier'
import { authenticate as a } from 'stateless-auth-verifier/fastify'
import { authenticate as b } from 'stateless-auth-verifier/express'
import { authenticate as c } from 'stateless-auth-verifier/hono'
const verifier: Verifier = createVerifier({ issuer: 'https://a.example', audience: 'x', onEvent: (event: VerifierEvent) => { if (event.type === 'feed_stale') event.staleness.toFixed() } })
const claims: AccessClaims = await verifier.verify('x', { maxStaleness: 30 })
const code: VerifierErrorCode = new VerifierError('revoked').code
export const all = [claims.sub.length, code, a(verifier), b(verifier, { scope: 'admin' }), c(verifier)]
// @ts-expect-error: types are there, not any
claims.nothing
`

t.test('the packed SDK installs into an empty project and verifies a token there, with web APIs alone', async t => {
  const w = await elsewhere(t)
  const [living, ended] = [await w.signIn(), await w.signIn()]
  await w.call('POST', '/v1/auth/logout', { body: { refresh_token: ended.refresh_token } })
  await until(() => w.ctx.revocations.state.log.size === 1)
  const folder = sdkProject(t)
  t.strictSame(readdirSync(join(folder, 'node_modules')).filter(name => !name.startsWith('.')).sort(), ['@noble', 'jose', 'stateless-auth-verifier'], 'it brings nothing else')

  writeFileSync(join(folder, 'run.mjs'), RUN)
  const given = JSON.stringify({ issuer: w.balancer.url, token: living.access_token, revoked: ended.access_token })
  const { stdout } = await run(process.execPath, ['--experimental-vm-modules', '--no-warnings', 'run.mjs', given], { cwd: folder, env: {}, timeout: 20_000 })
  t.strictSame(JSON.parse(stdout), { sub: living.user.id, refusal: 'revoked', node: Array(4).fill('undefined'), frameworks: Array(3).fill('function') })

  writeFileSync(join(folder, 'consumer.ts'), CONSUMER)
  const compile = async (...more: string[]) => await run(process.execPath, [resolve('node_modules/typescript/bin/tsc'), '--noEmit', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2022', '--lib', 'es2022,dom', '--typeRoots', 'none', ...more, 'consumer.ts'], { cwd: folder })
    .then(() => '', (error: { stdout: string }) => error.stdout)
  t.equal(await compile('--module', 'nodenext'), '', 'its types hold under Node.js resolution')
  t.equal(await compile('--module', 'esnext', '--moduleResolution', 'bundler'), '', 'and under a bundler’s')
})

t.test('the checkers of packages find nothing, and would', async t => {
  const folder = join(t.testdir(), 'dist')
  packVerifier(folder)
  t.strictSame(await faultsOf(folder), [])
  const broken = join(folder, '..', 'broken')
  mkdirSync(broken)
  cpSync(folder, broken, { recursive: true })
  rmSync(join(broken, 'verifier/hono.js'))
  writeFileSync(join(broken, 'verifier/index.d.ts'), readFileSync(join(broken, 'verifier/index.d.ts'), 'utf8').replaceAll(".js'", "'"))
  const faults = await faultsOf(broken)
  t.ok(faults.some(fault => fault.includes('hono.js')), 'a subpath that leads nowhere')
  t.ok(faults.some(fault => fault.includes('InternalResolutionError')), 'a declaration that leads nowhere')
})
