import cluster from 'node:cluster'
import type { Config } from '../config.ts'
import { startServer, type Server } from '../server.ts'
import type { Order, Settled, ToPrimary, ToWorker } from './messages.ts'
import { observe } from './observe.ts'
import { onHangUp, STOPPING } from './signals.ts'

/**
 * One of several processes behind a port. What a signal means is for the primary to decide, which the same Ctrl-C reaches:
 * a worker obeys its messages. One whose primary has died has no port any more, finishes what it has, and ends.
 */
export async function work (config: Config): Promise<number> {
  const self = cluster.worker!
  for (const signal of STOPPING) process.on(signal, () => {})
  onHangUp(() => {})
  const settled = Promise.withResolvers<Settled>()
  const order = Promise.withResolvers<Order>()
  const observed = observe(config, { worker: self.id })
  const tell = (message: ToPrimary) => { if (process.connected) process.send!(message, () => {}) }
  let server: Server | undefined
  process.on('message', (message: ToWorker) => {
    if ('settled' in message) settled.resolve(message.settled)
    else if ('order' in message) order.resolve(message.order)
    else if (server) tell({ read: message.read, reading: server.reading() })
  })
  self.once('disconnect', () => {
    // Node would end the process here and now, and with it the requests in flight.
    self.exitedAfterDisconnect = true
    order.resolve('retire')
  })
  const { log, requests: spans, stop: endTelemetry } = await observed
  try {
    tell({ event: 'started' })
    const first = await Promise.race([settled.promise, order.promise])
    if (typeof first === 'string') return 0
    // What the configuration leaves open comes from the primary; the rest is read anew with each worker.
    const database = first.database && { databaseUrl: config.databaseUrl ?? first.database.databaseUrl, keyEncryptionKey: config.keyEncryptionKey ?? first.database.keyEncryptionKey }
    server = await startServer({ ...first, config, log, database, spans })
    log.info({ pid: process.pid }, 'serving')
    tell({ event: 'serving' })
    await (await order.promise === 'stop' ? server.stop() : server.retire())
    log.info('done')
    return 0
  } finally {
    await endTelemetry()
    if (process.connected) process.disconnect()
  }
}
