import type { Jobs } from '../../core/jobs/jobs.ts'
import { enqueueMail } from '../../core/mail/enqueue.ts'
import type { Limits } from '../../core/throttle/limits.ts'
import { requireEmail } from '../../core/users/require-email.ts'
import type { Db } from '../../db/client.ts'

/** One job, whatever the address is: whoever sends the mail looks whether there is something to confirm. @throws invalid_request, too_many_requests */
export async function requestVerification (deps: { db: Db, jobs: Jobs, limits: Limits }, input: { email: string }): Promise<void> {
  const email = requireEmail(input.email)
  await deps.limits.mailbox(email)
  await enqueueMail(deps, { kind: 'verify_email', email })
}
