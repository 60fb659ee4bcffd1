import type { Config } from '../../config.ts'
import type { Source } from '../../core/audit/events.ts'
import type { Jobs } from '../../core/jobs/jobs.ts'
import type { Keyring } from '../../core/keys/keyring.ts'
import type { Revocations } from '../../core/revocations/live.ts'
import { issueGeneration, type IssuedTokens } from '../../core/sessions/issue.ts'
import { endReusedSession } from '../../core/sessions/end.ts'
import { spendGeneration } from '../../core/sessions/store.ts'
import { verifyRefreshToken } from '../../core/tokens/refresh-token.ts'
import type { Db } from '../../db/client.ts'
import { AppError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../log.ts'

type Deps = { db: Db, clock: Clock, keyring: Keyring, revocations: Revocations, config: Config, jobs: Jobs, log: Log }

/** How often a family may come back later than the grace before that counts as theft; one credit returns every 16 rotations. */
const LATE_BUDGET = 3

/**
 * One statement, one successor. Two uses of one generation further apart than the grace and the late budget allow, or an
 * older generation, mean that two parties hold this family: it ends for both.
 * @param shared the token came in the cookie of a browser, which several tabs may present
 * @throws session_ended, database_unavailable
 */
export async function refresh (deps: Deps, token: string, { shared, source }: { shared: boolean, source: Source }): Promise<IssuedTokens> {
  const { config, log } = deps
  const { claims: { gen, ...session }, kid } = await verifyRefreshToken(deps, token)
  const spent = await spendGeneration(deps, { ...session, gen, kid, shared, source, graceSeconds: config.refreshGraceSeconds, lateBudget: LATE_BUDGET })
  if (spent.outcome === 'reuse') {
    await endReusedSession(deps, { ...session, gen }, source)
    log.warn({ event: 'refresh.reuse', sub: session.sub, sid: session.sid, gen }, 'a spent refresh token came back; its session was ended')
  }
  if (spent.outcome !== 'ok') throw new AppError('session_ended', spent.outcome === 'reuse' ? { countAs: 'reuse' } : {})
  if (spent.late > 0) log.info({ event: 'refresh.late', sub: session.sub, sid: session.sid, gen, late: spent.late }, 'refreshed later than the grace')
  return issueGeneration(deps, session, { gen: spent.gen + 1, granted: spent, issuedAt: spent.spentAt, now: spent.now })
}
