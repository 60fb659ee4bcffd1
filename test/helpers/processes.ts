import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { testEnvironment } from './world.ts'

export type NodeProcess = {
  url: string, child: ChildProcess, lines: string[]
  /** The exit code, once it has ended by itself. */
  ended: Promise<number | null>
  /** Waits for the end and returns the exit code (null after a kill). */
  stop: (signal?: NodeJS.Signals) => Promise<number | null>
  /** `lines` until one holds `text`. */
  saw: (text: string) => Promise<string>
}
type Teardown = { teardown: (work: () => unknown) => void }

/** What the image runs, made by test/setup/before.ts. A preload that reaches into modules needs them apart, as in the sources. */
export const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const SOURCE = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
/** What a process has of its surroundings: nothing that a test depends on. */
export const surroundings = () => ({ PATH: process.env['PATH'], HOME: process.env['HOME'], NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] })
/** Processes that share a database share this. */
export const SHARED_KEK = `t:${randomBytes(32).toString('base64')}`

/** A node of the service as a process of its own, listening on a free port of 127.0.0.1. `preload` is a module loaded before it. */
export async function startProcess (t: Teardown, databaseUrl: string, { env = {}, preload }: { env?: Record<string, string>, preload?: string } = {}): Promise<NodeProcess> {
  const child = spawn(process.execPath, [...(preload ? ['--import', preload, SOURCE] : [MAIN]), 'serve'], {
    env: { ...surroundings(), ...testEnvironment(databaseUrl, SHARED_KEK), PORT: '0', PUBLIC_URL: 'http://localhost:3000', DOCS: 'false', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  const waiting = new Set<() => void>()
  const heard = (line: string) => { lines.push(line); for (const wake of waiting) wake() }
  createInterface(child.stdout!).on('line', heard)
  createInterface(child.stderr!).on('line', heard)
  const ended = once(child, 'exit').then(([code]) => { for (const wake of waiting) wake(); return code as number | null })
  t.teardown(async () => { child.kill('SIGKILL'); await ended })

  const saw = async (text: string): Promise<string> => await new Promise((resolve, reject) => {
    const look = () => {
      const line = lines.find(line => line.includes(text))
      if (line === undefined && child.exitCode === null && child.signalCode === null) return
      waiting.delete(look)
      if (line === undefined) reject(new Error(`the process ended before it said "${text}":\n${lines.join('\n')}`))
      else resolve(line)
    }
    waiting.add(look)
    look()
  })
  const { url } = JSON.parse(await saw('"listening"')) as { url: string }
  return {
    url, child, lines, saw, ended,
    stop: async (signal = 'SIGTERM') => { child.kill(signal); return await ended },
  }
}

/** A node without a database, on an upstream. */
export const startRelay = async (t: Teardown, upstreamUrl: string, { env = {}, preload }: { env?: Record<string, string>, preload?: string } = {}): Promise<NodeProcess> =>
  await startProcess(t, '', { env: { MODE: 'verifier', UPSTREAM_URL: upstreamUrl, DATABASE_URL: '', KEY_ENCRYPTION_KEY: '', ...env }, ...(preload !== undefined && { preload }) })

export type Reply = { status: number, headers: Headers, json: any }

/** JSON over a real socket, or a form. */
export async function send (url: string, method: string, path: string, { body, form, bearer, headers }: { body?: unknown, form?: Record<string, string>, bearer?: string, headers?: Record<string, string> } = {}): Promise<Reply> {
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(form !== undefined && { body: new URLSearchParams(form) }),
  })
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, json: text === '' ? null : JSON.parse(text) }
}
