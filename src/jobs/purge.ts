import type { Context } from '../context.ts'
import { startLoop } from '../core/loop.ts'
import { purgeRevocations } from '../core/revocations/store.ts'
import type { Db } from '../db/client.ts'

/** Small enough that no purge holds locks or bloats a transaction for long. */
export const BATCH = 2_000

/**
 * Keeps the table of endings at its bound: what every node reads and compares each minute must not wait for a job. Every node does it; a second one finds
 * nothing left to do. All other tables are purged by a job (housekeeping.ts).
 */
export function startPurging ({ db, log }: Pick<Context, 'db' | 'log'>): { stop: () => void } {
  return startLoop(60_000, async () => {
    await purgeExpiredEndings(db).catch((error: Error) => log.warn({ err: error.message }, 'a purge failed'))
    return 60_000
  })
}

export const purgeExpiredEndings = async (db: Db): Promise<void> => { await inBatches(async () => await purgeRevocations(db, BATCH)) }

/** @returns how many rows went. Ends early when `signal` says so. */
export async function inBatches (purge: () => Promise<number>, signal?: AbortSignal): Promise<number> {
  for (let sum = 0; ;) {
    const gone = await purge()
    sum += gone
    if (gone < BATCH || signal?.aborted) return sum
  }
}
