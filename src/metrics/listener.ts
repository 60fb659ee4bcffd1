import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Config } from '../config.ts'
import { portFault } from '../errors.ts'
import type { Log } from '../log.ts'
import { CONTENT_TYPE, exposition } from './exposition.ts'
import { combine, type Reading } from './reading.ts'

/**
 * `GET /metrics` on a port of its own: what it says is for whoever runs the service, so it is never on the public one.
 * Two services on one developer's machine want the same port by default; the second does without. In production a port
 * that was asked for and is taken stops the start, like the other one.
 * @param read one reading of each process that serves
 * @returns how to close it
 */
export async function listenForMetrics ({ config, log, read }: { config: Config, log: Log, read: () => Promise<Reading[]> }): Promise<() => void> {
  const { host, metricsPort: port, production } = config
  if (port === 0) return () => {}
  const server = createServer(({ method, url }, response) => {
    if (method !== 'GET' || url?.split('?', 1)[0] !== '/metrics') { response.writeHead(404).end(); return }
    read().then(
      readings => {
        // While it starts there is nothing to say, and zeroes would be a lie.
        if (readings.length === 0) { response.writeHead(503).end(); return }
        response.writeHead(200, { 'content-type': CONTENT_TYPE }).end(exposition(combine(readings)))
      },
      error => {
        log.warn({ err: (error as Error).message }, 'the metrics could not be read')
        response.writeHead(503).end()
      })
  })
  try {
    server.listen({ port, host, exclusive: true })
    await once(server, 'listening')
  } catch (error) {
    const fault = portFault(error as NodeJS.ErrnoException, { host, port, setting: 'METRICS_PORT' })
    if (production) throw fault
    log.warn({ err: fault.message }, 'no metrics')
  }
  return () => {
    server.close()
    server.closeAllConnections()
  }
}
