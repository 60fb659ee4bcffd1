import type { Command } from './command.ts'
import { configFrom } from './settings.ts'

/** One process, or with WORKERS a primary that starts and watches several. */
export const serve: Command = async (_args, env) => {
  const config = configFrom(env)
  if (config.workers === 1) return await (await import('./serve-alone.ts')).serveAlone(config)
  const { isWorker } = (await import('node:cluster')).default
  return isWorker ? await (await import('./worker.ts')).work(config) : await (await import('./primary.ts')).lead(config, env)
}
