import { once } from 'node:events'
import type { Setting } from './measure.ts'
import { pathOf, startServer } from './processes.ts'

export type Hashes = { perSecond: number, perCpuSecond: number }

/** A process that only hashes, so many at once. @returns what lets it do so for some seconds */
export async function startHashing (setting: Pick<Setting, 'teardown'>, atOnce: number, env: Record<string, string> = {}): Promise<(seconds: number) => Promise<Hashes>> {
  const { child } = await startServer(setting, [pathOf('bench/raw-argon2.ts')], { UV_THREADPOOL_SIZE: String(atOnce + 4), CONCURRENCY: String(atOnce), ...env }, '/')
  return async seconds => {
    child.send(seconds * 1000)
    return (await once(child, 'message') as [Hashes])[0]
  }
}
