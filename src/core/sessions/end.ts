import { inTransaction, type Db } from '../../db/client.ts'
import type { Clock } from '../../lib/clock.ts'
import type { By, Source } from '../audit/events.ts'
import type { Jobs } from '../jobs/jobs.ts'
import { enqueueMail } from '../mail/enqueue.ts'
import type { Revocations } from '../revocations/live.ts'
import { endFamily } from './store.ts'

type Deps = { db: Db, clock: Clock, revocations: Revocations }
type Session = { sid: string, sub: string }

/** Ends one session for good, in one statement; ended already, it writes nothing. This node knows at once. */
export async function endSession (deps: Deps, { sid, sub }: Session, by: By): Promise<void> {
  await endFamily(deps, sid, { ...by, type: 'session.ended', userId: sub })
  deps.revocations.note('s', sid)
}

/** Of a session that two parties hold its owner is told, by the same transaction; where two requests bring it to light at once, by one. */
export async function endReusedSession (deps: Deps & { jobs: Jobs }, { sid, sub, gen }: Session & { gen: number }, source: Source): Promise<void> {
  await inTransaction(deps, async deps => {
    const ended = await endFamily(deps, sid, { type: 'session.reused', outcome: 'failure', actor: 'anonymous', userId: sub, source, data: { gen } })
    if (ended) await enqueueMail(deps, { kind: 'session_reused', user_id: sub })
  })
  deps.revocations.note('s', sid)
}
