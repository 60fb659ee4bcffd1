import { Server as NetServer, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { buildApp } from './app.ts'
import type { Config } from './config.ts'
import type { VerifierContext } from './context.ts'
import { portFault, StartError } from './errors.ts'
import { Tally } from './http/tally.ts'
import { localUrl } from './lib/local-url.ts'
import type { Log } from './log.ts'
import { watchProcess } from './metrics/process.ts'
import { readingOf, type Connections, type Jobs } from './metrics/read.ts'
import type { Reading } from './metrics/reading.ts'
import type { Database } from './prepare-database.ts'

/** What is in flight must be done by then; a platform kills soon after (requirement M2). */
const STOP_WITHIN_MS = 9_500
/** Nobody waits for a worker that is replaced: clients on its connections have a second at least to be told to move on. */
const RETIRE_AFTER_MS = 1_000
const READY_WITHIN_MS = 10_000
/** Whoever has connected may be about to speak. */
const SILENT_FOR_MS = 1_000

export type ServerSettings = {
  config: Config, log: Log
  /** Where requests are traced. */
  spans?: NonNullable<Parameters<typeof buildApp>[1]>['spans']
  /** Null with MODE=verifier. */
  database: Database | null
  port?: number
  /** Others serve already: better not to listen than to have nothing to say. */
  readyFirst?: boolean
}

export type Server = {
  url: string
  /** For the metrics. */
  reading: () => Reading
  /** The node goes: ready turns false first; then, after the drain, no new request is taken, those in flight finish, and all is closed. */
  stop: () => Promise<void>
  /** Only this process goes, and others behind its port stay: it takes no new connection from now on, and the node stays ready. */
  retire: () => Promise<void>
}

/** How to close what is open, in the order of opening. */
type Opened = (() => Promise<void> | void)[]

/** From a prepared database, or an upstream, to a listening service. What was opened before a failure is closed again. */
export async function startServer ({ config, log, database, spans = null, port = config.port, readyFirst = false }: ServerSettings): Promise<Server> {
  const opened: Opened = []
  const closeAll = async () => { for (const close of opened.toReversed()) await close() }
  const [draining, leaving, tally] = [new AbortController(), new AbortController(), new Tally()]
  try {
    const { ctx, jobs, connections }: Opening = database ? await openFull(config, log, database, opened, leaving.signal) : { ctx: await openVerifier(config, log, opened) }
    const observed = config.metricsPort > 0 ? watchProcess(config) : null
    opened.push(() => observed?.stop())
    if (readyFirst) await isReady(ctx)
    const app = await buildApp(ctx, { draining: draining.signal, leaving: leaving.signal, tally, spans })
    const closeSilent = watchSilent(app.server)
    await app.listen({ port, host: config.host })
      .catch((error: NodeJS.ErrnoException) => { throw portFault(error, { host: config.host, port, setting: 'PORT' }) })

    const end = async (drainMs: number) => {
      leaving.abort()
      await sleep(drainMs)
      await closeWithin(app, STOP_WITHIN_MS - drainMs, closeSilent)
      await closeAll()
    }
    return {
      url: localUrl(config.host, (app.server.address() as AddressInfo).port),
      reading: () => ({ ...observed?.read(), ...readingOf({ ctx, tally, jobs: jobs?.(), connections: connections?.() }) }),
      stop: async () => {
        draining.abort()
        log.info('draining')
        await end(config.drainSeconds * 1000)
      },
      retire: async () => {
        log.info('making room')
        stopAccepting(app.server)
        await end(Math.max(config.drainSeconds * 1000, RETIRE_AFTER_MS))
      },
    }
  } catch (error) {
    await closeAll()
    throw error
  }
}

type Opening = { ctx: VerifierContext, jobs?: () => Jobs, connections?: () => Connections }

/** Loaded only here: a node with MODE=verifier has no database, and must not carry what it takes to have one. */
async function openFull (config: Config, log: Log, database: Database, opened: Opened, leaving: AbortSignal): Promise<Opening> {
  const [{ openContext }, { startJobs }] = await Promise.all([import('./context.ts'), import('./jobs/runner.ts')])
  const { ctx, connections, close } = await openContext({ config, log, ...database })
  opened.push(close)
  const { read: jobs, stop } = await startJobs(ctx)
  opened.push(stop)
  // While requests are still answered: what a job needs to finish and what they need add up to no more than the longer of the two.
  leaving.addEventListener('abort', () => { stop() })
  return { ctx, jobs, connections }
}

async function openVerifier (config: Config, log: Log, opened: Opened): Promise<VerifierContext> {
  const { openVerifierContext } = await import('./verifier-context.ts')
  const { ctx, close } = await openVerifierContext({ config, log })
  opened.push(close)
  return ctx
}

async function isReady ({ keyring, revocations }: VerifierContext): Promise<void> {
  for (let waited = 0; !keyring.ready || !revocations.ready; waited += 50) {
    if (waited >= READY_WITHIN_MS) throw new StartError('The upstream has said nothing within 10 s.')
    await sleep(50)
  }
}

/** An HTTP server's own close() also cuts the connections that are idle at this moment, and the next request may be on its way. */
const stopAccepting = (server: NetServer): void => { NetServer.prototype.close.call(server) }

/**
 * Takes nothing new and waits for what is in flight. A connection that falls idle meanwhile would be kept alive for the
 * next request, and a client that never finishes its own would hold the process: the first are closed on sight, the rest at the deadline.
 */
async function closeWithin (app: Awaited<ReturnType<typeof buildApp>>, deadlineMs: number, closeSilent: () => void): Promise<void> {
  const idle = setInterval(() => {
    app.server.closeIdleConnections()
    closeSilent()
  }, 50)
  const deadline = setTimeout(() => { app.server.closeAllConnections() }, deadlineMs)
  try { await app.close() } finally {
    clearInterval(idle)
    clearTimeout(deadline)
  }
}

/**
 * Node takes a connection that has not said a word for one with a request on its way, and browsers and HTTP clients open some ahead of need: each would hold a node that
 * goes until its deadline. @returns what closes those that have been silent for a while
 */
function watchSilent (server: NetServer): () => void {
  const since = new Map<Socket, number>()
  server.on('connection', socket => {
    since.set(socket, performance.now())
    socket.once('close', () => { since.delete(socket) })
  })
  return () => {
    for (const [socket, at] of since) if (socket.bytesRead === 0 && performance.now() - at > SILENT_FOR_MS) socket.destroy()
  }
}
