import type { Source } from '../../core/audit/events.ts'
import type { Revocations } from '../../core/revocations/live.ts'
import { endSessionsOf } from '../../core/users/store.ts'
import type { Db } from '../../db/client.ts'
import type { Clock } from '../../lib/clock.ts'

/** Ends every session of the caller, in one statement. A second call, from a token that has not heard of it yet, ends nothing more that lives. */
export async function logoutAll (deps: { db: Db, clock: Clock, revocations: Revocations }, { sub }: { sub: string }, source: Source): Promise<void> {
  const epoch = await endSessionsOf(deps, sub, { actor: `user:${sub}`, source })
  if (epoch !== null) deps.revocations.note('u', sub, epoch)
}
