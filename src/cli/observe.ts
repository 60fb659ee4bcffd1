import type { Config } from '../config.ts'
import { createLog } from '../log.ts'
import type { Telemetry } from '../telemetry/start.ts'

/** The log of a process that serves, and what else is told of it. Nothing of OpenTelemetry is loaded where nobody asked for it. */
export async function observe (config: Config, process: { worker?: number } = {}): Promise<Telemetry> {
  const settings = { otel: config.otel, logLevel: config.logLevel, ...process }
  if (config.otel.traces || config.otel.logs) return (await import('../telemetry/start.ts')).startTelemetry(settings)
  return { log: createLog(settings), requests: null, stop: async () => {} }
}
