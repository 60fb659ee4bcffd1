import { RateLimiterPostgres, type RateLimiterAbstract } from 'rate-limiter-flexible'
import type { Pool } from '../../db/client.ts'

/** So many points in so many seconds, from the first one. */
export type Allowance = { name: string, points: number, seconds: number }

export type Counters = {
  counter: (allowance: Allowance) => RateLimiterAbstract
  close: () => void
}

/** Every node counts in the same place. Who counts here needs the database anyway: without it the count fails, and so does the request. */
export const postgresCounters = (pool: Pool): Counters => ({
  counter: ({ name, points, seconds }) => new RateLimiterPostgres({
    storeClient: unnamed(pool), storeType: 'pool', tableName: 'rate_limit', tableCreated: true, clearExpiredByTimeout: false, keyPrefix: name, points, duration: seconds,
  }),
  close: () => {},
})

/**
 * The library names its statements, which are then kept by the connection. A pooler in transaction mode gives every transaction another
 * connection, where the name is unknown, or means the statement of somebody else.
 */
const unnamed = (pool: Pool) => ({
  query: async ({ text, values }: { text: string, values: unknown[] }) => await pool.query(text, values),
})
