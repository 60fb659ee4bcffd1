import type { Context } from '../context.ts'
import { purgeBriefEvents, purgeEvents } from '../core/audit/store.ts'
import { purgeAnswers } from '../core/idempotency/store.ts'
import { purgeSpent, sessionHorizon } from '../core/sessions/store.ts'
import { purgeRateLimits } from '../core/throttle/store.ts'
import { purgeUnverified } from '../core/users/unverified/store.ts'
import { uuidv7Floor } from '../lib/ids.ts'
import { BATCH, inBatches } from './purge.ts'

const DAY = 86_400

type Deps = Pick<Context, 'db' | 'clock' | 'config' | 'log'>

/** Keeps every table at the bound that docs/state.md names, in small batches. One that fails keeps none of the others from its turn. */
export async function keepHouse (deps: Deps, signal?: AbortSignal): Promise<void> {
  const { db, config, log } = deps
  const { now, maxSessionSeconds } = await sessionHorizon(db)
  const before = (seconds: number) => uuidv7Floor((now - seconds) * 1000)
  const chores: [table: string, purge: () => Promise<number>][] = [
    // An id tells when its family began: what is older than the longest session ever allowed, and a day, has no living token.
    ['refresh_spent', async () => await purgeSpent(db, before(maxSessionSeconds + DAY), BATCH)],
    ['idempotency', async () => await purgeAnswers(db, BATCH)],
    ['rate_limit', async () => await purgeRateLimits(db, BATCH)],
    ['audit_event', async () => await purgeEvents(db, before(Math.max(config.auditRetentionSeconds, maxSessionSeconds)), BATCH)],
    ['audit_event', async () => await purgeBriefEvents(db, before(config.auditRetentionSeconds), BATCH)],
  ]
  if (config.requireVerifiedEmail && config.unverifiedAccountSeconds > 0) chores.push(['users', async () => await purgeUnverified(deps, config.unverifiedAccountSeconds, BATCH)])
  const failures: string[] = []
  for (const [table, purge] of chores) {
    if (signal?.aborted) return
    try {
      const rows = await inBatches(purge, signal)
      if (rows > 0) log.info({ table, rows }, 'purged')
    } catch (error) {
      log.warn({ table, err: (error as Error).message }, 'a purge failed')
      failures.push(table)
    }
  }
  if (failures.length > 0) throw new Error(`not purged: ${failures.join(', ')}`)
}
