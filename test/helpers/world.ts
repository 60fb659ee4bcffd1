import { randomBytes } from 'node:crypto'
import type { InjectOptions, LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import { loadConfig, type Config } from '../../src/config.ts'
import type { KeyEncryptionKeys } from '../../src/config-values.ts'
import { openContext, type Context, type VerifierContext } from '../../src/context.ts'
import { startJobs } from '../../src/jobs/runner.ts'
import type { Clock } from '../../src/lib/clock.ts'
import { createLog, type Log } from '../../src/log.ts'
import { contractFault } from './contract.ts'
import { freshDatabase, sqlTo, type Sql } from './database.ts'

export const PASSWORD = 'a long enough pass phrase'

export type FakeClock = Clock & { advance: (seconds: number) => void }
export type Tokens = { access_token: string, token_type: string, expires_in: number, refresh_token: string, user: { id: string, email: string } }
export type Call = (method: string, url: string, options?: { body?: unknown, bearer?: string, headers?: Record<string, string>, cookies?: Record<string, string>, remoteAddress?: string }) => Promise<LightMyRequestResponse>

/** One node with an app that checks each of its answers against openapi.yaml. */
export type Node = { app: Awaited<ReturnType<typeof buildApp>>, ctx: Context, clock: FakeClock, call: Call, logLines: () => Record<string, unknown>[] }

export type World = Node & {
  config: Config, sql: Sql, databaseUrl: string
  /** A new account; the address is new each time unless given. */
  signUp: (email?: string) => Promise<{ id: string, email: string }>
  /** Signs in by body mode; a new account unless an address is given. */
  signIn: (email?: string, more?: object) => Promise<Tokens>
  refresh: (refreshToken: string, node?: Node) => Promise<LightMyRequestResponse>
  verify: (accessToken: string, node?: Node) => Promise<LightMyRequestResponse>
  /** Another node on the same database. */
  anotherNode: () => Promise<Node>
}

/** The environment of a node under test: what production requires, and limits that a test does not stumble over. */
export const testEnvironment = (databaseUrl: string, kek = `t:${randomBytes(32).toString('base64')}`): Record<string, string> => ({
  DATABASE_URL: databaseUrl, KEY_ENCRYPTION_KEY: kek, REQUIRE_VERIFIED_EMAIL: 'false', RATE_LIMIT_SCALE: '100000', DRAIN_SECONDS: '0', DOCS: 'true', METRICS_PORT: '0',
})

/** `env` overrides the environment. Everything ends with the test. With `MAIL_URL` of a mailbox (./mailbox.ts) its nodes do jobs. */
export async function world (t: Test, env: Record<string, string> = {}): Promise<World> {
  const databaseUrl = env['DATABASE_URL'] ?? await freshDatabase(t)
  const config = loadConfig({ ...testEnvironment(databaseUrl), ...env }, () => '')
  const node = await startNode(t, config)
  const sql = await sqlTo(t, databaseUrl)
  const signUp = async (email = `${randomBytes(6).toString('hex')}@example.com`) => {
    const answer = await node.call('POST', '/v1/auth/register', { body: { email, password: PASSWORD } })
    if (answer.statusCode !== 201) throw new Error(`sign-up answered ${answer.statusCode} ${answer.body}`)
    return answer.json<{ user: { id: string, email: string } }>().user
  }
  return {
    ...node, config, sql, databaseUrl, signUp,
    signIn: async (email, more) => {
      const answer = await node.call('POST', '/v1/auth/login', { body: { email: email ?? (await signUp()).email, password: PASSWORD, refresh: 'body', ...more } })
      if (answer.statusCode !== 200) throw new Error(`sign-in answered ${answer.statusCode} ${answer.body}`)
      return answer.json()
    },
    refresh: async (token, at = node) => await at.call('POST', '/v1/auth/refresh', { body: { refresh_token: token } }),
    verify: async (token, at = node) => await at.call('GET', '/v1/auth/verify', { bearer: token }),
    anotherNode: async () => await startNode(t, config),
  }
}

const startNode = async (t: Test, config: Config): Promise<Node> => await serveNode(t, async ({ log, clock }) => {
  const { ctx, close } = await openContext({ config, databaseUrl: config.databaseUrl!, keyEncryptionKey: config.keyEncryptionKey as KeyEncryptionKeys, log, clock })
  // Most tests are about no job, and their many short-lived nodes do without.
  if (config.mailUrl === 'console:') return { ctx, close }
  const jobs = await startJobs(ctx, { mailPollSeconds: 0.5 })
  return { ctx, close: async () => { await jobs.stop(); await close() } }
})

/** The app around an opened context, with a clock and a log of its own. */
export async function serveNode<C extends Context | VerifierContext> (
  t: Test, open: (deps: { log: Log, clock: Clock }) => Promise<{ ctx: C, close: () => Promise<void> | void }>
): Promise<Omit<Node, 'ctx'> & { ctx: C }> {
  let offset = 0
  const clock: FakeClock = { now: () => Date.now() + offset, advance: seconds => { offset += seconds * 1000 } }
  const lines: string[] = []
  const log = createLog({ logLevel: 'debug' }, { write: line => { lines.push(line) } })
  const { ctx, close } = await open({ log, clock })
  const app = await buildApp(ctx)
  t.teardown(async () => { await app.close(); await close() })
  const call: Call = async (method, url, { body, bearer, headers, ...more } = {}) => {
    const answer = await app.inject({
      method, url, ...more,
      headers: { ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }), ...headers },
      ...(body !== undefined && { payload: body }),
    } as InjectOptions)
    const fault = contractFault(method, url, answer)
    if (fault) t.fail(fault)
    if (answer.statusCode === 500) t.fail(`${method} ${url} answered 500`, { log: lines.findLast(line => line.includes('request failed')) })
    return answer
  }
  return { app, ctx, clock, call, logLines: () => lines.map(line => JSON.parse(line) as Record<string, unknown>) }
}
