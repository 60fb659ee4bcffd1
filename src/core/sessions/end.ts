import type { Db } from '../../db/client.ts'
import type { Revocations } from '../revocations/live.ts'
import { endFamily } from './store.ts'

/** Ends one session for good, in one statement; ended already, it writes nothing. This node knows at once. */
export async function endSession ({ db, revocations }: { db: Db, revocations: Revocations }, sid: string): Promise<void> {
  await endFamily(db, sid)
  revocations.note('s', sid)
}
