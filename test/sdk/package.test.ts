import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { faultsOf, packClient, packVerifier } from '../../scripts/pack-sdk.ts'
import { clientProject, sdkProject } from '../helpers/sdk-project.ts'
import { until } from '../helpers/until.ts'
import { elsewhere } from '../helpers/verifier.ts'
import { PASSWORD, world } from '../helpers/world.ts'

const execute = promisify(execFile)

/** Runs in a realm of its own that has what every runtime of the web has, and nothing of Node.js. */
const run = (main: string): string => `
import { readFile } from 'node:fs/promises'
import { createContext, SourceTextModule } from 'node:vm'
const web = { AbortController, AbortSignal, atob, BroadcastChannel, btoa, clearTimeout, crypto, CryptoKey, fetch, FormData, Headers, navigator, performance, queueMicrotask, ReadableStream, Request, Response, setTimeout, structuredClone, TextDecoder, TextEncoder, URL, URLSearchParams }
const context = createContext({ ...web, given: JSON.parse(process.argv[2]), answer: {} })
const loaded = new Map()
const load = async (name, from) => {
  const identifier = import.meta.resolve(name.startsWith('.') ? new URL(name, from).href : name)
  if (!loaded.has(identifier)) loaded.set(identifier, readFile(new URL(identifier), 'utf8').then(source => new SourceTextModule(source, { identifier, context })))
  return await loaded.get(identifier)
}
const main = new SourceTextModule(${JSON.stringify(main)}, { identifier: import.meta.url, context })
await main.link(async (name, { identifier }) => await load(name, identifier))
await main.evaluate()
console.log(JSON.stringify(context.answer))
`

const NOTHING_OF_NODE = 'answer.node = [typeof process, typeof Buffer, typeof require, typeof setImmediate]'

const VERIFY = `
import { createVerifier, VerifierError } from 'stateless-auth-verifier'
import { authenticate as fastify } from 'stateless-auth-verifier/fastify'
import { authenticate as express } from 'stateless-auth-verifier/express'
import { authenticate as hono } from 'stateless-auth-verifier/hono'
const { issuer, token, revoked } = given
const verifier = createVerifier({ issuer, audience: 'https://api.example' })
answer.sub = (await verifier.verify(token, { maxStaleness: 30 })).sub
answer.refusal = await verifier.verify(revoked).catch(error => error instanceof VerifierError ? error.code : String(error))
${NOTHING_OF_NODE}
answer.frameworks = [fastify, express, hono].map(authenticate => typeof authenticate(verifier))
verifier.close()
`

const SIGN_IN = `
import { AuthError, createAuth } from 'stateless-auth-client'
const { baseUrl, email, password } = given
const auth = createAuth({ baseUrl })
answer.refusal = await auth.signIn({ email, password: 'wrong' }).catch(error => error instanceof AuthError ? error.code : String(error))
answer.before = auth.state.status
await auth.signIn({ email, password })
answer.user = (await auth.api.GET('/v1/me')).data.email
answer.status = (await auth.fetch(baseUrl + '/v1/auth/verify')).status
${NOTHING_OF_NODE}
auth.close()
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

const PAGE = `
import { createAuth, AuthError, type Auth, type AuthErrorCode, type AuthState, type User } from 'stateless-auth-client'
const auth: Auth = createAuth({ baseUrl: 'https://a.example' })
const state: AuthState = await auth.restore()
const user: User | null = state.user
const { data } = await auth.api.GET('/v1/me/sessions', { params: { query: { limit: '3' } } })
await auth.api.DELETE('/v1/me/sessions/{sid}', { params: { path: { sid: data.items[0]!.sid } } })
const { data: { access_token } } = await auth.api.POST('/v1/me/password', { body: { current_password: 'x', new_password: 'y' } })
const code: AuthErrorCode = new AuthError('session_ended', 401).code
export const all: unknown[] = [user?.email.length, access_token.length, code]
// @ts-expect-error: an operation that is not in the contract
await auth.api.GET('/v1/nothing')
// @ts-expect-error: a body that is not in the contract
await auth.api.POST('/v1/me/password', { body: { current_password: 'x' } })
// @ts-expect-error: no body
await auth.api.POST('/v1/me/password')
// @ts-expect-error: a code that is not in the contract
export const wrong = (error: AuthError) => error.code === 'session_over'
// @ts-expect-error: types are there, not any
data.nothing
`

/** Runs it in the project, and says what it answered. */
async function answerOf (folder: string, main: string, given: object): Promise<unknown> {
  writeFileSync(join(folder, 'run.mjs'), run(main))
  const { stdout } = await execute(process.execPath, ['--experimental-vm-modules', '--no-warnings', 'run.mjs', JSON.stringify(given)], { cwd: folder, env: {}, timeout: 20_000 })
  return JSON.parse(stdout)
}

/** What the compiler has to say, under the resolution of Node.js and under a bundler's. */
async function complaints (folder: string, consumer: string): Promise<string[]> {
  writeFileSync(join(folder, 'consumer.ts'), consumer)
  return await Promise.all([['nodenext'], ['esnext', '--moduleResolution', 'bundler']].map(async module =>
    await execute(process.execPath, [resolve('node_modules/typescript/bin/tsc'), '--noEmit', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2022', '--lib', 'es2022,dom', '--typeRoots', 'none', '--module', ...module, 'consumer.ts'], { cwd: folder })
      .then(() => '', (error: { stdout: string }) => error.stdout)))
}

const installed = (folder: string): string[] => readdirSync(join(folder, 'node_modules')).filter(name => !name.startsWith('.')).sort()

t.test('the packed verifier installs into an empty project and verifies a token there, with web APIs alone', async t => {
  const w = await elsewhere(t)
  const [living, ended] = [await w.signIn(), await w.signIn()]
  await w.call('POST', '/v1/auth/logout', { body: { refresh_token: ended.refresh_token } })
  await until(() => w.ctx.revocations.state.log.size === 1)
  const folder = sdkProject(t)
  t.strictSame(installed(folder), ['@noble', 'jose', 'stateless-auth-verifier'], 'it brings nothing else')
  const answer = await answerOf(folder, VERIFY, { issuer: w.balancer.url, token: living.access_token, revoked: ended.access_token })
  t.strictSame(answer, { sub: living.user.id, refusal: 'revoked', node: Array(4).fill('undefined'), frameworks: Array(3).fill('function') })
  t.strictSame(await complaints(folder, CONSUMER), ['', ''], 'its types hold')
})

t.test('the packed client installs into an empty project and signs in there, with web APIs alone', async t => {
  const w = await world(t)
  const baseUrl = await w.app.listen({ port: 0, host: '127.0.0.1' })
  const { email } = await w.signUp()
  const folder = clientProject(t)
  t.strictSame(installed(folder), ['openapi-fetch', 'openapi-typescript-helpers', 'stateless-auth-client'], 'it brings nothing else')
  const answer = await answerOf(folder, SIGN_IN, { baseUrl, email, password: PASSWORD })
  t.strictSame(answer, { refusal: 'invalid_credentials', before: 'unknown', user: email, status: 200, node: Array(4).fill('undefined') })
  t.strictSame(await complaints(folder, PAGE), ['', ''], 'its types hold')
})

t.test('the checkers of packages find nothing, and would', async t => {
  const folder = join(t.testdir(), 'dist')
  packVerifier(folder)
  t.strictSame(await faultsOf(folder), [])
  const client = join(folder, '..', 'client')
  packClient(client)
  t.strictSame(await faultsOf(client), [])
  const broken = join(folder, '..', 'broken')
  mkdirSync(broken)
  cpSync(folder, broken, { recursive: true })
  rmSync(join(broken, 'verifier/hono.js'))
  writeFileSync(join(broken, 'verifier/index.d.ts'), readFileSync(join(broken, 'verifier/index.d.ts'), 'utf8').replaceAll(".js'", "'"))
  const faults = await faultsOf(broken)
  t.ok(faults.some(fault => fault.includes('hono.js')), 'a subpath that leads nowhere')
  t.ok(faults.some(fault => fault.includes('InternalResolutionError')), 'a declaration that leads nowhere')
})
