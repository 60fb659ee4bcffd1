import type { Source } from '../../core/audit/events.ts'
import { recordEvent } from '../../core/audit/store.ts'
import type { Jobs } from '../../core/jobs/jobs.ts'
import { enqueueMail } from '../../core/mail/enqueue.ts'
import type { Limits } from '../../core/throttle/limits.ts'
import { inTransaction } from '../../core/transaction.ts'
import { requireEmail } from '../../core/users/require-email.ts'
import type { Db } from '../../db/client.ts'
import type { Clock } from '../../lib/clock.ts'

/**
 * One event and one job, whatever the address is: whoever sends the mail looks the user up. So the event names nobody, and its time and work tell nothing.
 * @throws invalid_request, too_many_requests
 */
export async function requestReset (deps: { db: Db, clock: Clock, jobs: Jobs, limits: Limits }, input: { email: string }, source: Source): Promise<void> {
  const email = requireEmail(input.email)
  await deps.limits.mailbox(email)
  await inTransaction(deps, async ctx => {
    await recordEvent(ctx, { type: 'password.reset_requested', actor: 'anonymous', source })
    await enqueueMail(ctx, { kind: 'reset_password', email })
  })
}
