import type { Source } from '../../core/audit/events.ts'
import type { Revocations } from '../../core/revocations/live.ts'
import { revokeToken } from '../../core/revocations/store.ts'
import { endSession } from '../../core/sessions/end.ts'
import type { Db } from '../../db/client.ts'
import { AppError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'

/** A token that lives: of a user's session, or (without `sid`) one that stands for itself. */
export type Living = { sub: string, sid?: string | undefined, jti: string, client_id: string }

/**
 * RFC 7009 §2.1. A token of a session stands for all of it: to end one and leave the other would end nothing. Each is one statement.
 * @param client who authenticated, if anybody: it may end its own tokens only
 * @throws unauthorized_client, database_unavailable
 */
export async function revoke (deps: { db: Db, clock: Clock, revocations: Revocations }, token: Living, client: { id: string } | null, source: Source): Promise<void> {
  if (client && token.client_id !== client.id) throw new AppError('unauthorized_client')
  const { sub, sid } = token
  if (sid !== undefined) {
    await endSession(deps, { sub, sid }, { actor: client ? `client:${client.id}` : `user:${sub}`, source })
    return
  }
  await revokeToken(deps.db, token.jti)
  deps.revocations.note('j', token.jti)
}
