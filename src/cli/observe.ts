import type { Config } from '../config.ts'
import { createLog } from '../log.ts'
import type { Telemetry } from '../telemetry/start.ts'

/** The log of a process that serves, and what else is told of it. Nothing of OpenTelemetry is loaded where nobody asked for it. */
export async function observe (config: Config, of: { worker?: number } = {}): Promise<Telemetry> {
  const settings = { otel: config.otel, logLevel: config.logLevel, ...of }
  if (config.otel.traces || config.otel.logs) {
    const { stop, ...telemetry } = (await import('../telemetry/start.ts')).startTelemetry(settings)
    return { ...telemetry, stop: async () => { await stop(); endSoon() } }
  }
  return { log: createLog(settings), requests: null, stop: async () => {} }
}

/** What was not sent to a receiver that is away is tried again for twenty seconds, and would hold a process that has nothing else to do. */
function endSoon (): void {
  setTimeout(() => { process.exit() }, 250).unref()
}
