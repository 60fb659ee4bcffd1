import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import type { Config } from '../config.ts'
import { hashConcurrency } from '../core/passwords/admission.ts'
import { portFault } from '../errors.ts'
import { localUrl } from '../lib/local-url.ts'
import { listenForMetrics } from '../metrics/listener.ts'
import type { Database } from '../prepare-database.ts'
import { announce } from './announce.ts'
import type { Environment } from './command.ts'
import type { Settled, ToPrimary, ToWorker } from './messages.ts'
import { observe } from './observe.ts'
import { configFrom } from './settings.ts'
import { nextStop, onHangUp } from './signals.ts'
import { WorkerPool } from './worker-pool.ts'
import { WorkerReadings } from './worker-readings.ts'

/**
 * Several processes behind one port. The primary serves nothing: it prepares the database, starts the workers, replaces
 * those that die, and tells them when to stop.
 * @returns the exit code, once it was told to stop
 */
export async function lead (config: Config, env: Environment): Promise<number> {
  const { log, stop: endTelemetry } = await observe(config)
  const stopping = nextStop()
  const opened: (() => Promise<void> | void)[] = []
  const closeAll = async () => { for (const close of opened.toReversed()) await close() }
  try {
    const port = await freePort(config)
    // Not even loaded with MODE=verifier.
    const preparing = config.mode === 'full' ? await import('../prepare-database.ts') : null
    let database: Database | null = null
    if (preparing) {
      const { stop, ...prepared } = await preparing.prepareDatabase(config, log)
      opened.push(stop)
      database = prepared
    }

    // In turn, whatever the environment says; and not as JSON: the key-encryption key is a Map of Buffers.
    cluster.schedulingPolicy = cluster.SCHED_RR
    cluster.setupPrimary({ serialization: 'advanced' })
    const readings = new WorkerReadings()
    const pool = new WorkerPool({ size: config.workers, log, fork: readyFirst => fork({ database, port, readyFirst }, config, env) })
    cluster.on('exit', worker => readings.forget(worker))
    opened.push(await listenForMetrics({ config, log, read: async () => await readings.read(pool.serving) }))
    opened.push(async () => await pool.stop())
    onHangUp(() => { restart().catch(error => log.error({ err: (error as Error).message }, 'the workers could not be restarted; those that serve go on')) })
    await pool.start()
    announce(localUrl(config.host, port), config, log, { workers: config.workers })

    await Promise.race([stopping, pool.failure])
    // A second Ctrl-C means now.
    nextStop().then(() => { pool.kill(); process.exit(130) })

    /** Files that hold secrets, and the code itself, may have changed: the new workers read them; what code needs of the database comes first. */
    async function restart () {
      log.info('restarting the workers, one after the other')
      const { databaseUrl = database?.databaseUrl } = configFrom(env)
      if (preparing) await preparing.migrateDatabase(databaseUrl!, log)
      await pool.roll()
      log.info('the workers were restarted')
    }
  } finally {
    await closeAll()
    await endTelemetry()
  }
  log.info('stopped')
  return 0
}

function fork (settled: Settled, config: Config, env: Environment): Worker {
  const worker = cluster.fork({ UV_THREADPOOL_SIZE: env['UV_THREADPOOL_SIZE'] ?? String(hashConcurrency(config.workers) + 4) })
  worker.on('message', (message: ToPrimary) => { if ('event' in message && message.event === 'started') worker.send({ settled } satisfies ToWorker, () => {}) })
  closeWhatItWasGiven(worker)
  return worker
}

/**
 * When a worker dies, node:cluster forgets the connection that it was just giving it, and the client would wait for ever.
 * It is closed instead, and the client tries again. Closing one that was taken over does nothing.
 */
function closeWhatItWasGiven (worker: Worker): void {
  const child = worker.process
  const send = child.send.bind(child) as (...args: unknown[]) => boolean
  let given: { close: () => void } | undefined
  child.send = (message: unknown, handle?: unknown, ...rest: unknown[]) => {
    if (typeof handle === 'object' && handle !== null) given = handle as { close: () => void }
    return send(message, handle, ...rest)
  }
  worker.once('exit', () => given?.close())
}

/** Before anything is started for it: a port that is taken would otherwise end worker after worker. Where any will do (0), all need the same. */
async function freePort ({ host, port }: Config): Promise<number> {
  const server = createServer()
  try {
    server.listen({ host, port })
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  } catch (error) {
    throw portFault(error as NodeJS.ErrnoException, { host, port, setting: 'PORT' })
  } finally {
    server.close()
  }
}
