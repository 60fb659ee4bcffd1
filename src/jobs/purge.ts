import { startLoop } from '../core/loop.ts'
import { purgeRevocations } from '../core/revocations/store.ts'
import { purgeSpent, sessionHorizon } from '../core/sessions/store.ts'
import { purgeRateLimits } from '../core/throttle/store.ts'
import type { Db } from '../db/client.ts'
import { uuidv7Floor } from '../lib/ids.ts'
import type { Log } from '../log.ts'

/** Small enough that no purge holds locks or bloats a transaction for long. */
const BATCH = 2_000
const DAY = 86_400

/** Keeps the two tables of endings, and the counters, at their bound. Every node does it; a second one finds nothing left to do. */
export function startPurging ({ db, log }: { db: Db, log: Log }): { stop: () => void } {
  const attempt = (everyMs: number, purge: () => Promise<void>) => startLoop(everyMs, async () => {
    await purge().catch((error: Error) => log.warn({ err: error.message }, 'a purge failed'))
    return everyMs
  })
  const loops = [
    attempt(60_000, () => purgeExpiredEndings(db)),
    attempt(600_000, () => purgeOldFamilies(db)),
    attempt(60_000, () => purgeExpiredCounters(db)),
  ]
  return { stop: () => loops.forEach(loop => loop.stop()) }
}

export const purgeExpiredEndings = async (db: Db): Promise<void> => await inBatches(() => purgeRevocations(db, BATCH))

export const purgeExpiredCounters = async (db: Db): Promise<void> => await inBatches(() => purgeRateLimits(db, BATCH))

/** A family's id tells when it began: what is older than the longest session ever allowed, and a day, has no living token. */
export async function purgeOldFamilies (db: Db): Promise<void> {
  const { now, maxSessionSeconds } = await sessionHorizon(db)
  const floor = uuidv7Floor((now - maxSessionSeconds - DAY) * 1000)
  await inBatches(() => purgeSpent(db, floor, BATCH))
}

async function inBatches (purge: () => Promise<number>): Promise<void> {
  while (await purge() >= BATCH);
}
