import { Redis } from 'ioredis'
import { RateLimiterMemory, RateLimiterRedis } from 'rate-limiter-flexible'
import type { Log } from '../../log.ts'
import type { Counters } from './counters.ts'

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
