import type { Endings } from '../../core/revocations/endings.ts'

const STALE_AFTER_MS = 3_000

/** Judged by the feed's poll, which asks twice a second: a probe costs no statement, and cannot hang on a database that does. */
export const databaseAnswers = ({ revocations }: { revocations: Endings }): boolean =>
  performance.now() - revocations.readAt < STALE_AFTER_MS
