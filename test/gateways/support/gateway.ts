import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { until } from '../../helpers/until.ts'

type Teardown = Pick<Test, 'teardown'>
export type Running = { child: ChildProcess, output: () => string }

/** Here a missing gateway is a failure: a test that skips itself is not run for years before anybody notices. */
export function requireInstalled (program: string, ...packages: string[]): string {
  if (!existsSync(program)) throw new Error(`${program} is missing. On Debian or Ubuntu: apt-get install --no-install-recommends ${packages.join(' ')}`)
  return program
}

/** A folder of this test's own, which the account that a gateway changes to may enter. */
export function scratch (t: Teardown): string {
  const folder = mkdtempSync(join(tmpdir(), 'stateless-auth-gateway-'))
  chmodSync(folder, 0o755)
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Runs it in the foreground, until the test ends. Nothing of the machine's own configuration is read. */
export async function run (t: Teardown, program: string, args: string[], { env = {}, port }: { env?: Record<string, string>, port?: number } = {}): Promise<Running> {
  const child = spawn(program, args, { env: { PATH: process.env['PATH'], ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', chunk => { text += chunk })
  const ended = once(child, 'exit')
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    const last = setTimeout(() => child.kill('SIGKILL'), 3_000)
    await ended
    clearTimeout(last)
  })
  const output = () => text
  const isUp = async () => {
    if (child.exitCode !== null) throw new Error('it ended')
    return port === undefined || await listens(port)
  }
  await until(isUp, 10_000).catch(error => { throw new Error(`${program}: ${error.message}\n${text}`) })
  return { child, output }
}

const listens = async (port: number): Promise<boolean> => await new Promise(resolve => {
  const socket = connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true) }).on('error', () => resolve(false))
})

export type Answer = { status: number, headers: Record<string, string>, body: string, ms: number }

/** Sends bytes that no client library would, and reads the first answer until the gateway closes. Status 0: it closed without one. */
export async function raw (port: number, head: readonly string[], body: string | Buffer = '', timeoutMs = 15_000): Promise<Answer> {
  const began = performance.now()
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', chunk => { chunks.push(chunk) }).on('error', () => {})
  socket.setTimeout(timeoutMs, () => socket.destroy())
  socket.write(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), Buffer.from(body)]))
  await once(socket, 'close')
  const text = Buffer.concat(chunks).toString('latin1')
  const finals = text.replace(/^(HTTP\/1\.1 100 [^\r]*\r\n(?:[^\r]+\r\n)*\r\n)+/, '')
  const [lines, ...rest] = finals.split('\r\n\r\n')
  const [statusLine, ...fields] = lines!.split('\r\n')
  return {
    status: Number(/^HTTP\/1\.[01] (\d{3})/.exec(statusLine!)?.[1] ?? 0),
    headers: Object.fromEntries(fields.map(field => [field.slice(0, field.indexOf(':')).toLowerCase(), field.slice(field.indexOf(':') + 1).trim()])),
    body: rest.join('\r\n\r\n'),
    ms: performance.now() - began,
  }
}

export const request = (method: string, target: string, headers: Record<string, string> | string[] = {}): string[] => [
  `${method} ${target} HTTP/1.1`, 'Host: api.example', 'Connection: close',
  ...(Array.isArray(headers) ? headers : Object.entries(headers).map(([name, value]) => `${name}: ${value}`)),
]
