import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export type Postmaster = { pid: number, port: number, ready: boolean }

/**
 * What postmaster.pid says (line 1 pid, 4 port, 8 status), or null when no server runs on that folder. A file left by a
 * server that is dead, a zombie, or whose pid now is somebody else's is removed: PostgreSQL would refuse to start over it.
 */
export async function findPostmaster (dataFolder: string): Promise<Postmaster | null> {
  const file = join(dataFolder, 'postmaster.pid')
  const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n')
  const pid = Number(lines[0])
  if (!Number.isInteger(pid) || pid <= 0) return null
  if (!await isRunningPostgres(pid)) {
    await rm(file, { force: true })
    return null
  }
  return { pid, port: Number(lines[3]), ready: lines[7]?.trim() === 'ready' }
}

/** Fast shutdown; waits until the server is gone, at most five seconds. */
export async function stopPostmaster (pid: number): Promise<void> {
  if (!signal(pid, 'SIGINT')) return
  for (let waited = 0; waited < 5_000 && await isRunningPostgres(pid); waited += 10) await sleep(10)
}

async function isRunningPostgres (pid: number): Promise<boolean> {
  if (!signal(pid, 0)) return false
  if (process.platform !== 'linux') return true
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const match = /^\d+ \((.*)\) (\S)/s.exec(status)
  return match?.[1] === 'postgres' && match[2] !== 'Z'
}

export function signal (pid: number, name: NodeJS.Signals | 0): boolean {
  try { return process.kill(pid, name) } catch (error) { return (error as NodeJS.ErrnoException).code === 'EPERM' }
}
