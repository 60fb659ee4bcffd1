import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { buildApp } from './app.ts'
import type { Config } from './config.ts'
import type { Context, VerifierContext } from './context.ts'
import { StartError } from './errors.ts'
import { createLog, type Log } from './log.ts'
import { migrationsFolder } from './paths.ts'

/** What is in flight must be done by then; a platform kills soon after (requirement M2). */
const STOP_WITHIN_MS = 9_500

export type Server = { url: string, stop: () => Promise<void> }

/** How to close what is open, in the order of opening. */
type Opened = (() => Promise<void> | void)[]

/** From a configuration to a listening service. What was opened before a failure is closed again. */
export async function startServer (config: Config): Promise<Server> {
  const log = createLog(config)
  const opened: Opened = []
  const closeAll = async () => { for (const close of opened.toReversed()) await close() }
  try {
    const ctx = config.mode === 'full' ? await openFull(config, log, opened) : await openVerifier(config, log, opened)
    const draining = new AbortController()
    const app = await buildApp(ctx, { draining: draining.signal })
    await app.listen({ port: config.port, host: config.host }).catch((error: NodeJS.ErrnoException) => { throw listenError(error, config) })
    const url = `http://${['0.0.0.0', '127.0.0.1', '::', '::1'].includes(config.host) ? 'localhost' : config.host}:${(app.server.address() as AddressInfo).port}`
    if (config.relaxations.length > 0) log.info({ relaxations: config.relaxations }, 'development relaxations are on')
    log.info({ url, issuer: config.publicUrl }, 'listening')

    return {
      url,
      /** Ready turns false first; then, after the drain, no new request is taken, those in flight finish, and all is closed. */
      stop: async () => {
        draining.abort()
        log.info('draining')
        await sleep(config.drainSeconds * 1000)
        await closeWithin(app, STOP_WITHIN_MS - config.drainSeconds * 1000)
        await closeAll()
        log.info('stopped')
      },
    }
  } catch (error) {
    await closeAll()
    throw error
  }
}

/** Loaded only here: a node with MODE=verifier has no database, and must not carry what it takes to have one. */
async function openFull (config: Config, log: Log, opened: Opened): Promise<Context> {
  const [{ settle }, { migrateUp, readMigrations }, { openContext }, { startPurging }] = await Promise.all([
    import('./dev-settings.ts'), import('./db/migrate.ts'), import('./context.ts'), import('./jobs/purge.ts'),
  ])
  const settled = await settle(config)
  opened.push(settled.stop)
  if (settled.embedded) log.info(settled.embedded, 'embedded PostgreSQL')
  const applied = await migrateUp(settled.databaseUrl, await readMigrations(migrationsFolder))
  if (applied.length > 0) log.info({ applied }, 'database migrated')
  const { ctx, close } = await openContext({ config, log, ...settled })
  opened.push(close)
  opened.push(startPurging(ctx).stop)
  return ctx
}

async function openVerifier (config: Config, log: Log, opened: Opened): Promise<VerifierContext> {
  const { openVerifierContext } = await import('./verifier-context.ts')
  const { ctx, close } = await openVerifierContext({ config, log })
  opened.push(close)
  return ctx
}

/**
 * Takes nothing new and waits for what is in flight. A connection that falls idle meanwhile would be kept alive for the
 * next request, and a client that never finishes its own would hold the process: the first are closed on sight, the rest at the deadline.
 */
async function closeWithin (app: Awaited<ReturnType<typeof buildApp>>, deadlineMs: number): Promise<void> {
  const idle = setInterval(() => { app.server.closeIdleConnections() }, 50)
  const deadline = setTimeout(() => { app.server.closeAllConnections() }, deadlineMs)
  try { await app.close() } finally {
    clearInterval(idle)
    clearTimeout(deadline)
  }
}

const listenError = (error: NodeJS.ErrnoException, { host, port }: Config): Error => {
  if (error.code === 'EADDRINUSE') return new StartError(`Port ${port} on ${host} is taken by another process; stop it or set PORT.`)
  if (error.code === 'EACCES') return new StartError(`Port ${port} may not be opened by this account; set PORT.`)
  if (error.code === 'EADDRNOTAVAIL') return new StartError(`This machine has no address ${host}; set HOST.`)
  return error
}
