import type { Source } from '../../core/audit/events.ts'
import type { Revocations } from '../../core/revocations/live.ts'
import { endOwnFamily } from '../../core/sessions/store.ts'
import type { Db } from '../../db/client.ts'
import { AppError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'
import { isUuid } from '../../lib/ids.ts'

/** Ended already, it is ended. @throws not_found for what is no session of the caller, whoever's it is */
export async function endOwnSession (deps: { db: Db, clock: Clock, revocations: Revocations }, { sub }: { sub: string }, sid: string, source: Source): Promise<void> {
  const found = isUuid(sid) && await endOwnFamily(deps, { sid, userId: sub }, { actor: `user:${sub}`, source })
  if (!found) throw new AppError('not_found')
  deps.revocations.note('s', sid)
}
