import { Clients } from './core/clients/clients.ts'
import { Jobs } from './core/jobs/jobs.ts'
import { EMAIL_QUEUE } from './core/jobs/queues.ts'
import { enterInstallation } from './core/installation/store.ts'
import { Keyring } from './core/keys/keyring.ts'
import type { PublicKeys } from './core/keys/public-keys.ts'
import { BreachedPasswords } from './core/passwords/breached.ts'
import { Passwords } from './core/passwords/hash.ts'
import type { Endings } from './core/revocations/endings.ts'
import { Revocations } from './core/revocations/live.ts'
import { openLimits, type Limits } from './core/throttle/limits.ts'
import type { Config } from './config.ts'
import type { KeyEncryptionKeys } from './config-values.ts'
import { openDatabase, retryUnavailable, type Db } from './db/client.ts'
import { systemClock, type Clock } from './lib/clock.ts'
import type { Log } from './log.ts'

/** What verifying tokens and passing on endings takes: views of keys and endings, and no database. */
export type VerifierContext = {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly keyring: PublicKeys
  readonly revocations: Endings
}

/** Everything stateful that a request can reach. Rules name the members they need; this satisfies them. */
export type Context = VerifierContext & {
  readonly db: Db
  readonly keyring: Keyring
  readonly revocations: Revocations
  readonly passwords: Passwords
  readonly clients: Clients
  readonly jobs: Jobs
  readonly limits: Limits
  readonly breached: BreachedPasswords
}

export type OpenContext = {
  ctx: Context
  /** For the metrics. */
  connections: () => { total: number, idle: number, waiting: number }
  /** Stops what keeps itself current, and closes the database. */
  close: () => Promise<void>
}

/** What the configuration leaves open in development is settled by the caller: the embedded database and its key. */
export type Settled = { config: Config, databaseUrl: string, keyEncryptionKey: KeyEncryptionKeys, log: Log, clock?: Clock }

/** Opens the (migrated) database, loads keys, endings and clients, tests the hashing module; the caches keep themselves current. */
export async function openContext ({ config, databaseUrl, keyEncryptionKey, log, clock = systemClock }: Settled): Promise<OpenContext> {
  const { db, pool, close: closeDatabase } = openDatabase(databaseUrl, { log })
  const connections = () => ({ total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount })
  const passwords = new Passwords(config)
  // On a thread of its own, while this one loads and asks.
  const tested = passwords.selfTest()
  tested.catch(() => {})
  const revocations = new Revocations({ db, log, feedCursor: config.feedCursor })
  const clients = new Clients({ db, log })
  const jobs = new Jobs({ pool, log })
  const breached = new BreachedPasswords({ config, log })
  let limits: Limits | undefined
  const opened: { stop: () => void }[] = [revocations, clients]
  const close = async () => {
    for (const cache of opened) cache.stop()
    await jobs.stop()
    await limits?.close()
    await closeDatabase()
  }
  try {
    const { id, maxAccessTokenSeconds, maxSessionSeconds } = await retryUnavailable(async () => await enterInstallation({ db }, config))
    const keyring = new Keyring({ db, clock, log, settings: { ...config, keyEncryptionKey, sessionMaxSeconds: maxSessionSeconds } })
    opened.push(keyring)
    limits = await openLimits({ pool, keyring, log, config })
    revocations.onKeyRevoked(async () => await keyring.reread())
    // Clients after keys, on the same connection: many nodes that start at once need not open a third each.
    await Promise.all([
      retryUnavailable(async () => await keyring.start()).then(async () => await retryUnavailable(async () => await clients.start())),
      retryUnavailable(async () => await revocations.start({ feed: id, ttlSeconds: maxAccessTokenSeconds + 120 })),
      tested,
      retryUnavailable(async () => await jobs.learn(EMAIL_QUEUE)),
    ])
    return { ctx: { config, db, clock, log, keyring, revocations, passwords, clients, jobs, limits, breached }, connections, close }
  } catch (error) {
    await close()
    throw error
  }
}
