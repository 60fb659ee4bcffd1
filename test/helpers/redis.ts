import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'

type Teardown = { teardown: (work: () => unknown) => void }

const BINARY = '/usr/bin/redis-server'
/** Where there is none, a developer's tests do without; the gate installs it. */
export const withoutRedis = existsSync(BINARY) ? false : `there is no ${BINARY} on this machine`

export type OwnRedis = { url: string, kill: () => Promise<void>, start: () => Promise<void> }

/** A Redis of this test's own, which keeps nothing on disk. It starts again on the same port. */
export async function ownRedis (t: Teardown): Promise<OwnRedis> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  await new Promise(resolve => probe.close(resolve))
  let child: ChildProcess | undefined
  const kill = async () => {
    if (child?.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  const start = async () => {
    const started = child = spawn(BINARY, ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], { cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] })
    for await (const line of createInterface(started.stdout!)) if (line.includes('Ready to accept connections')) { started.stdout!.resume(); return }
    throw new Error('redis-server ended before it was ready')
  }
  t.teardown(kill)
  await start()
  return { url: `redis://127.0.0.1:${port}`, kill, start }
}
