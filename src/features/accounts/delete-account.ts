import { recordEvent } from '../../core/audit/store.ts'
import { enqueueMail } from '../../core/mail/enqueue.ts'
import { checkPassword, type Guesser } from '../../core/passwords/check.ts'
import type { Revocations } from '../../core/revocations/live.ts'
import { inTransaction } from '../../core/transaction.ts'
import { deleteUser } from '../../core/users/store.ts'
import { AppError } from '../../errors.ts'

type Deps = Parameters<typeof checkPassword>[0] & { revocations: Revocations }

/**
 * Account, password and every session, gone for good. The trail keeps the id, which names nobody any more.
 * @throws invalid_credentials; invalid_token also for the second of two that come at once
 */
export async function deleteAccount (deps: Deps, caller: { sub: string, ver: number }, { password }: { password: string }, by: Guesser): Promise<void> {
  const { id, epoch } = await checkPassword(deps, caller, password, by, 'account.delete')
  const gone = await inTransaction(deps, async ctx => {
    const gone = await deleteUser(ctx.db, id, { epoch })
    if (gone === null) throw new AppError('invalid_token')
    await recordEvent(ctx, { type: 'account.deleted', actor: `user:${id}`, userId: id, source: by.source })
    await enqueueMail(ctx, { kind: 'account_deleted', email: gone.email, locale: gone.locale })
    return gone
  })
  deps.revocations.note('u', id, gone.epoch)
}
