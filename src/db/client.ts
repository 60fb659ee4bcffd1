import { setTimeout as sleep } from 'node:timers/promises'
import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'
import type { Log } from '../log.ts'
import { isTraced } from '../trace.ts'
import { Prisma, PrismaClient } from './generated/client.ts'
import { isConflict, isUnavailable } from './faults.ts'
import { traceStatements } from './traced.ts'

/** What a store works on: a database, or a transaction in it. Stores speak SQL through it: one call is one round trip. */
export type Db = Prisma.TransactionClient

/** For libraries that speak SQL by themselves: counters and jobs. */
export type Pool = pg.Pool

export type Database = { db: PrismaClient, pool: Pool, close: () => Promise<void> }

/** What can begin a transaction, and where its connections are. The client is a proxy that is an instance of nothing, and a transaction looks much like it. */
const databases = new WeakMap<Db, Pool>()
const canBegin = (db: Db): db is PrismaClient => databases.has(db)

/**
 * Every wait is bounded, so that a database that is away, or behind a network that swallows packets, answers as
 * `database_unavailable` within two seconds instead of holding requests.
 */
export function openDatabase (url: string, { log }: { log: Log }): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: 10,
    connectionTimeoutMillis: 1_500,
    query_timeout: 1_900,
    statement_timeout: 1_800,
    idle_in_transaction_session_timeout: 5_000,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    application_name: 'stateless-auth',
  })
  if (isTraced()) pool.on('connect', traceStatements)
  // Without a listener, losing an idle connection would end the process.
  pool.on('error', error => log.warn({ err: error.message }, 'database connection lost'))
  const db = new PrismaClient({ adapter: new PrismaPg(pool, { disposeExternalPool: false, onConnectionError: () => {} }) })
  databases.set(db, pool)
  return {
    db,
    pool,
    close: async () => {
      await db.$disconnect()
      await pool.end()
    },
  }
}

/**
 * Everything `work` does through the context that it is given happens, or nothing does. The context is replaced, so that the
 * outer connection cannot be used by mistake; within a transaction already, `work` joins it. No hashing, signing or network in here.
 */
export async function inTransaction<C extends { db: Db }, T> (ctx: C, work: (ctx: C) => Promise<T>): Promise<T> {
  const { db } = ctx
  if (!canBegin(db)) return await work(ctx)
  return await retryConflicts(async () => await db.$transaction(async tx => await work({ ...ctx, db: tx }), { maxWait: 1_500, timeout: 4_000 }))
}

/**
 * The same as `$queryRaw` by way of pg alone, for less than half of the processor time: for the statement of a path that is run all the time. Faults
 * are pg's own (see faults.ts), and the statement has no name either. Within a transaction it is Prisma that has the connection.
 */
export async function queryDirectly<Row extends object> (db: Db, statement: Prisma.Sql): Promise<Row[]> {
  const pool = databases.get(db)
  return pool ? (await pool.query<Row>(statement.text, statement.values)).rows : await db.$queryRaw<Row[]>(statement)
}

/** Runs a single statement again when the database asked for that (serialisation failure, deadlock), at most three times. */
export async function retryConflicts<T> (statement: () => PromiseLike<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try { return await statement() } catch (error) {
      if (attempt === 3 || !isConflict(error)) throw error
      await sleep(5 + Math.random() * 20 * attempt)
    }
  }
}

/**
 * For a start, which nobody waits for as for an answer: where many nodes start at once on a busy machine, a connection may
 * take longer than a request may wait for one. Tried four times, over some ten seconds.
 */
export async function retryUnavailable<T> (work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try { return await work() } catch (error) {
      if (attempt === 4 || !isUnavailable(error)) throw error
      await sleep(250 * attempt + Math.random() * 500)
    }
  }
}
