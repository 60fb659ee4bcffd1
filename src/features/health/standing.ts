import type { Config } from '../../config.ts'
import type { PublicKeys } from '../../core/keys/public-keys.ts'
import type { Endings } from '../../core/revocations/endings.ts'
import type { Clock } from '../../lib/clock.ts'

/** A database is read twice a second; an upstream holds an answer without news back for two. */
const DATABASE_AWAY_AFTER_MS = 3_000
const UPSTREAM_AWAY_AFTER_MS = 5_000

type Standing = { ready: boolean, up: boolean, database?: 'up' | 'away', upstream?: 'up' | 'away', staleness_seconds?: number }

/** Judged by when the feed was last read: a probe costs no statement and no request, and cannot hang on a neighbour that does. */
export function standing ({ config, keyring, revocations, clock }: { config: Pick<Config, 'mode'>, keyring: PublicKeys, revocations: Endings, clock: Clock }): Standing {
  const silentMs = performance.now() - revocations.readAt
  if (config.mode === 'full') {
    const up = silentMs < DATABASE_AWAY_AFTER_MS
    // It does not listen before it has read keys and endings.
    return { ready: true, up, database: up ? 'up' : 'away' }
  }
  const up = silentMs < UPSTREAM_AWAY_AFTER_MS
  const ready = keyring.ready && revocations.ready
  const staleness = Math.max(0, clock.now() / 1000 - revocations.asOf)
  return { ready, up, upstream: up ? 'up' : 'away', ...(revocations.ready && { staleness_seconds: Math.round(staleness * 10) / 10 }) }
}
