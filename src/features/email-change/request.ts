import { recordEvent } from '../../core/audit/store.ts'
import { enqueueMail } from '../../core/mail/enqueue.ts'
import { checkPassword, type Guesser } from '../../core/passwords/check.ts'
import { inTransaction } from '../../core/transaction.ts'
import { requireEmail } from '../../core/users/require-email.ts'
import { AppError } from '../../errors.ts'

type Deps = Parameters<typeof checkPassword>[0]

/**
 * Nothing changes yet: the new address gets a link, the old one a notice. Nobody looks whether the new one has an account, so nothing can tell.
 * @throws invalid_request, invalid_token, invalid_credentials, too_many_requests, login_busy
 */
export async function requestEmailChange (
  deps: Deps, caller: { sub: string, ver: number }, input: { new_email: string, password: string }, by: Guesser
): Promise<void> {
  const to = requireEmail(input.new_email, '/new_email')
  const { id, email, epoch } = await checkPassword(deps, caller, input.password, by, 'email.change')
  if (to === email) throw new AppError('invalid_request', { errors: [{ pointer: '/new_email', code: 'same', message: 'is the address of the account already' }] })
  await deps.limits.mailbox(to)
  const addresses = { user_id: id, old_email: email, new_email: to }
  await inTransaction(deps, async ctx => {
    await recordEvent(ctx, { type: 'email.change_requested', actor: `user:${id}`, userId: id, source: by.source })
    await enqueueMail(ctx, { kind: 'confirm_email_change', ...addresses, epoch })
    await enqueueMail(ctx, { kind: 'email_change_requested', ...addresses })
  })
}
