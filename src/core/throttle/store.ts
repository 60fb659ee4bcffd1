import type { Db } from '../../db/client.ts'

/** Windows that are over. The library writes `rate_limit` itself; where it counts in Redis there are none. @returns how many there were, at most `limit` */
export async function purgeRateLimits (db: Db, limit: number): Promise<number> {
  return await db.$executeRaw`
    DELETE FROM rate_limit WHERE key IN (SELECT key FROM rate_limit WHERE expire < extract(epoch FROM now()) * 1000 - 60000 LIMIT ${limit}::int FOR UPDATE SKIP LOCKED)`
}
