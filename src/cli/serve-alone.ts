import type { Config } from '../config.ts'
import { listenForMetrics } from '../metrics/listener.ts'
import { startServer, type Server } from '../server.ts'
import { announce } from './announce.ts'
import { observe } from './observe.ts'
import { nextStop, onHangUp } from './signals.ts'

/** @returns the exit code, once it was told to stop */
export async function serveAlone (config: Config): Promise<number> {
  const { log, requests: spans, stop: endTelemetry } = await observe(config)
  const stopping = nextStop()
  onHangUp(() => log.info('SIGHUP is for WORKERS, which it restarts one after the other; a single process goes on'))
  const opened: (() => Promise<void> | void)[] = []
  const closeAll = async () => { for (const close of opened.toReversed()) await close() }
  try {
    // Not even loaded with MODE=verifier.
    const database = config.mode === 'full' ? await (await import('../prepare-database.ts')).prepareDatabase(config, log) : null
    if (database) opened.push(database.stop)
    const serving: Server[] = []
    opened.push(await listenForMetrics({ config, log, read: async () => serving.map(server => server.reading()) }))
    const server = await startServer({ config, log, database, spans })
    serving.push(server)
    opened.push(server.stop)
    announce(server.url, config, log)
  } catch (error) {
    await closeAll()
    await endTelemetry()
    throw error
  }
  await stopping
  // A second Ctrl-C means now.
  nextStop().then(() => process.exit(130))
  await closeAll()
  log.info('stopped')
  await endTelemetry()
  return 0
}
