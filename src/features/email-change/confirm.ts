import type { Config } from '../../config.ts'
import type { Source } from '../../core/audit/events.ts'
import { recordEvent } from '../../core/audit/store.ts'
import type { Jobs } from '../../core/jobs/jobs.ts'
import type { Keyring } from '../../core/keys/keyring.ts'
import { enqueueMail } from '../../core/mail/enqueue.ts'
import type { Revocations } from '../../core/revocations/live.ts'
import { verifyActionToken } from '../../core/tokens/action-token.ts'
import { inTransaction } from '../../core/transaction.ts'
import { changeEmail, findUser } from '../../core/users/store.ts'
import type { Db } from '../../db/client.ts'
import { AppError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'

type Deps = { db: Db, clock: Clock, jobs: Jobs, keyring: Keyring, revocations: Revocations, config: Config }

/**
 * Puts the new address in the place of the old one, and ends every session. The old address is told, and every link that was made for it is dead.
 * @throws token_used when the account has the new address already; invalid_action_token, also where somebody else has it
 */
export async function confirmEmailChange (deps: Deps, { token }: { token: string }, source: Source): Promise<void> {
  const { claims: { sub, old, new: to, ver } } = await verifyActionToken(deps, 'ec', token)
  const done = await inTransaction(deps, async ctx => {
    const done = await changeEmail(ctx.db, { id: sub, epoch: ver, old, to })
    if (done === null) return null
    await recordEvent(ctx, { type: 'email.changed', actor: `user:${sub}`, userId: sub, source })
    await enqueueMail(ctx, { kind: 'email_changed', user_id: sub, old_email: old, new_email: to })
    return done
  }).catch((error: unknown) => {
    if (error instanceof AppError && error.code === 'email_taken') throw new AppError('invalid_action_token', { cause: error })
    throw error
  })
  if (done === null) {
    const user = await findUser(deps.db, sub)
    throw new AppError(user?.active && user.email === to ? 'token_used' : 'invalid_action_token')
  }
  deps.revocations.note('u', sub, done.epoch)
}
