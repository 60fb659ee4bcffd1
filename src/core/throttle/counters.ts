import { Redis } from 'ioredis'
import { RateLimiterMemory, RateLimiterPostgres, RateLimiterRedis, type RateLimiterAbstract } from 'rate-limiter-flexible'
import type { Pool } from '../../db/client.ts'
import type { Log } from '../../log.ts'

/** So many points in so many seconds, from the first one. */
export type Allowance = { name: string, points: number, seconds: number }

export type Counters = {
  counter: (allowance: Allowance) => RateLimiterAbstract
  close: () => void
}

/** Every node counts in the same place. Who counts here needs the database anyway: without it the count fails, and so does the request. */
export const postgresCounters = (pool: Pool): Counters => ({
  counter: ({ name, points, seconds }) => new RateLimiterPostgres({
    storeClient: pool, storeType: 'pool', tableName: 'rate_limit', tableCreated: true, clearExpiredByTimeout: false, keyPrefix: name, points, duration: seconds,
  }),
  close: () => {},
})

/** A Redis that takes longer is away. */
const PATIENCE_MS = 500

/** The same in Redis. While it is away each node counts for itself, from nothing; it comes back by itself. */
export function redisCounters (url: string, log: Log): Counters {
  const redis = new Redis(url, {
    enableOfflineQueue: false, connectTimeout: 1_000, commandTimeout: PATIENCE_MS, maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false,
    retryStrategy: attempt => Math.min(100 * attempt, 1_000),
  })
  let away = false
  redis.on('error', (error: Error) => {
    if (!away) log.warn({ err: error.message }, 'redis is away: limits are counted in each process')
    away = true
  })
  redis.on('ready', () => {
    if (away) log.info('redis is back')
    away = false
  })
  return {
    counter: ({ name, points, seconds }) => new RateLimiterRedis({
      storeClient: redis, rejectIfRedisNotReady: true, keyPrefix: `stateless-auth:${name}`, points, duration: seconds,
      insuranceLimiter: new RateLimiterMemory({ keyPrefix: name, points, duration: seconds }),
    }),
    close: () => { redis.disconnect() },
  }
}
