import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Agent, request, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import type { Test } from 'tap'
import { findPostmaster, stopPostmaster } from '../../src/db/embedded/postmaster.ts'
import { freshDatabase } from './database.ts'
import { temporaryFolder } from './own-postgres.ts'
import { startProcess, type NodeProcess, type Reply } from './processes.ts'
import { until } from './until.ts'
import { PASSWORD } from './world.ts'

export type Workers = NodeProcess & {
  /** By worker, the processes that have come to serve so far. */
  served: () => Map<number, number>
  /** Those that are alive now. */
  pids: () => number[]
}

/** A node of several processes. */
export async function startWorkers (t: Test, { workers = 2, databaseUrl, env = {} }: { workers?: number, databaseUrl?: string, env?: Record<string, string> } = {}): Promise<Workers> {
  const node = await startProcess(t, databaseUrl ?? await freshDatabase(t), { env: { WORKERS: String(workers), ...env } })
  const served = (): Map<number, number> => new Map(logged(node).filter(({ msg }) => msg === 'serving').map(({ worker, pid }) => [worker as number, pid as number]))
  const pids = () => [...served().values()].filter(isAlive)
  // A primary that was killed leaves them to end by themselves; the test may not wait for that.
  t.teardown(() => { for (const pid of pids()) try { process.kill(pid, 'SIGKILL') } catch {} })
  // Logs are written when there is time for it: the line of a worker may come after the primary's that all of them serve.
  await until(() => served().size >= workers, 10_000)
  return { ...node, served, pids }
}

export const logged = ({ lines }: NodeProcess): Record<string, unknown>[] =>
  lines.filter(line => line.startsWith('{')).map(line => JSON.parse(line) as Record<string, unknown>)

/** A process that has ended stays a zombie for as long as pid 1 takes to notice, where its parent has gone as well. */
export function isAlive (pid: number): boolean {
  try { process.kill(pid, 0) } catch { return false }
  if (process.platform !== 'linux') return true
  try { return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')) } catch { return false }
}

/** On a connection of its own, which the primary gives to the worker whose turn it is; or on those of `agent`. */
export async function ask (url: string, method: string, path: string, { body, bearer, agent }: { body?: unknown, bearer?: string, agent?: Agent } = {}): Promise<Reply> {
  const sent = request(`${url}${path}`.replace('//localhost', '//127.0.0.1'), {
    method, agent: agent ?? false, headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }) },
  })
  sent.end(body === undefined ? undefined : JSON.stringify(body))
  const [answer] = await once(sent, 'response') as [IncomingMessage]
  let text = ''
  for await (const chunk of answer.setEncoding('utf8')) text += chunk
  return { status: answer.statusCode!, headers: new Headers(answer.headers as Record<string, string>), json: text.startsWith('{') ? JSON.parse(text) : null }
}

export const credentials = () => ({ email: `${randomUUID()}@example.com`, password: PASSWORD })

/** A new account's session. */
export async function signIn (url: string): Promise<{ access_token: string, refresh_token: string }> {
  const account = credentials()
  await ask(url, 'POST', '/v1/auth/register', { body: account })
  return (await ask(url, 'POST', '/v1/auth/login', { body: { ...account, refresh: 'body' } })).json
}

/** Nothing set: the embedded database and a generated key, in a folder of this test's own. */
export async function embedded (t: Test) {
  const folder = await temporaryFolder(t)
  const postmaster = async () => await findPostmaster(join(folder, 'postgres', 'data'))
  t.teardown(async () => { const left = await postmaster(); if (left) await stopPostmaster(left.pid) })
  return { env: { DATABASE_URL: '', KEY_ENCRYPTION_KEY: '', DRAIN_SECONDS: '', REQUIRE_VERIFIED_EMAIL: '', DATA_DIR: folder }, postmaster }
}
