import type { Revocations } from '../../core/revocations/live.ts'
import { endSessionsOf } from '../../core/users/store.ts'
import type { Db } from '../../db/client.ts'

/** Ends every session of the caller, in one statement. A second call, from a token that has not heard of it yet, ends nothing more that lives. */
export async function logoutAll ({ db, revocations }: { db: Db, revocations: Revocations }, { sub }: { sub: string }): Promise<void> {
  const epoch = await endSessionsOf(db, sub)
  if (epoch !== null) revocations.note('u', sub, epoch)
}
