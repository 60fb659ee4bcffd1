import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../src/db/embedded/start.ts'
import { onServer } from '../test/setup/database.ts'
import type { Setting } from './measure.ts'

export const PASSWORD = 'a long enough pass phrase'
const KEK = `b:${randomBytes(32).toString('base64')}`
export const pathOf = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))

export type Server = { url: string, pid: number, child: ChildProcess, startMs: number, stop: () => Promise<void> }

/** A server in a process of its own. Its log, a line a request as in production, goes to where nobody reads. */
export async function startServer ({ teardown }: Pick<Setting, 'teardown'>, args: string[], env: Record<string, string>, probe: string): Promise<Server> {
  const port = env['PORT'] ?? await freePort()
  const url = `http://127.0.0.1:${port}`
  const startedAt = performance.now()
  const child = spawn(process.execPath, args, { env: { PATH: process.env['PATH'], PORT: String(port), ...env }, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const ended = once(child, 'exit')
  const stop = async () => { child.kill('SIGTERM'); await ended }
  teardown(stop)
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${args[0]} ended with ${child.exitCode ?? child.signalCode}`)
    if (await fetch(url + probe).then(answer => answer.ok, () => false)) break
    await sleep(5)
  }
  return { url, pid: child.pid!, child, startMs: performance.now() - startedAt, stop }
}

/** As in production, but for limits that a benchmark would stumble over. */
export const productionEnvironment = (databaseUrl: string): Record<string, string> => ({
  NODE_ENV: 'production', DATABASE_URL: databaseUrl, KEY_ENCRYPTION_KEY: KEK, PUBLIC_URL: 'http://localhost:3000',
  REQUIRE_VERIFIED_EMAIL: 'false', RATE_LIMIT_SCALE: '100000', DRAIN_SECONDS: '0', METRICS_PORT: '0',
})

/** As the image runs it: the bundle (npm run bundle), or what `main` names instead: the release before. */
export const startService = async (setting: Pick<Setting, 'databaseUrl' | 'teardown'>, { env = {}, main = 'dist/cli/main.js' }: { env?: Record<string, string>, main?: string | undefined } = {}): Promise<Server> =>
  await startServer(setting, ['--min-semi-space-size=4', '--max-semi-space-size=4', pathOf(main), 'serve'], { MALLOC_ARENA_MAX: '1', ...productionEnvironment(setting.databaseUrl), ...env }, '/readyz')

/** Fastify and one route, which gives a known answer: what HTTP costs here. */
export const startBare = async (setting: Setting, answer: { headers: Record<string, string>, body: unknown }, env: Record<string, string> = {}): Promise<Server> =>
  await startServer(setting, [pathOf('bench/bare.ts')], { ANSWER: JSON.stringify(answer), ...env }, '/')

export async function post<T> (url: string, path: string, body: object): Promise<T> {
  const answer = await fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  if (!answer.ok) throw new Error(`${path} answered ${answer.status} ${await answer.text()}`)
  return (answer.status === 204 ? null : await answer.json()) as T
}

export async function signUp (url: string): Promise<{ email: string, password: string }> {
  const credentials = { email: `${randomBytes(6).toString('hex')}@example.com`, password: PASSWORD }
  await post(url, '/v1/auth/register', credentials)
  return credentials
}

export type SignedIn = { access_token: string, refresh_token: string }

/** Sessions of one new user. */
export async function signIns (url: string, count: number): Promise<SignedIn[]> {
  const credentials = await signUp(url)
  const sessions: SignedIn[] = []
  for (let n = 0; n < count; n++) sessions.push(await post<SignedIn>(url, '/v1/auth/login', { ...credentials, refresh: 'body' }))
  return sessions
}

/** Verification of each of these tokens in turn, for the load generator. */
export const verifications = (sessions: readonly SignedIn[]) => sessions.map(({ access_token: token }) =>
  ({ method: 'GET' as const, path: '/v1/auth/verify', headers: { authorization: `Bearer ${token}` } }))

/** Many accounts at once, with the hash of one that signed up: a hash each would take the run's time. @returns their addresses; the password is PASSWORD */
export async function accounts (url: string, databaseUrl: string, count: number): Promise<string[]> {
  const { email } = await signUp(url)
  return await onServer(databaseUrl, async client => {
    const { rows } = await client.query<{ email: string }>(`WITH made AS (
        INSERT INTO users (id, email, email_verified_at, status) SELECT id, id || '@bench.example', now(), 1 FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, $1)) g RETURNING id, email),
      hashes AS (INSERT INTO credential (user_id, password_hash) SELECT made.id, password_hash FROM made, credential JOIN users ON users.id = user_id WHERE users.email = $2)
      SELECT email FROM made`, [count, email])
    return rows.map(row => row.email)
  })
}
