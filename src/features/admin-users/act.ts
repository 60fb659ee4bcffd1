import { byAdmin } from '../../core/audit/events.ts'
import { recordEvent } from '../../core/audit/store.ts'
import type { Jobs } from '../../core/jobs/jobs.ts'
import { enqueueMail } from '../../core/mail/enqueue.ts'
import type { Revocations } from '../../core/revocations/live.ts'
import { inTransaction } from '../../core/transaction.ts'
import { deleteUser, forgetFailures } from '../../core/users/store.ts'
import type { Db } from '../../db/client.ts'
import { AppError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'
import { lockTarget, refuseSelf, type Caller } from './caller.ts'

type Deps = { db: Db, clock: Clock, jobs: Jobs, revocations: Revocations }

/** The account, its password and its sessions are gone, and its owner is told. @throws not_found, also when that has been done */
export async function deleteAccount (deps: Deps, caller: Caller, id: string): Promise<void> {
  const epoch = await inTransaction(deps, async ctx => {
    await lockTarget(ctx, caller, id)
    refuseSelf(caller, id, 'delete your own account here')
    const { epoch, email, locale } = (await deleteUser(ctx.db, id))!
    await recordEvent(ctx, { ...byAdmin(caller, caller.source), type: 'account.deleted', userId: id })
    await enqueueMail(ctx, { kind: 'account_deleted', email, locale })
    return epoch
  })
  deps.revocations.note('u', id, epoch)
}

/** Wrong guesses against the account are forgotten: every browser may try again. @throws not_found */
export async function unlockAccount (deps: Deps, caller: Caller, id: string): Promise<void> {
  await inTransaction(deps, async ctx => {
    await lockTarget(ctx, caller, id)
    if (await forgetFailures(ctx.db, id)) await recordEvent(ctx, { ...byAdmin(caller, caller.source), type: 'account.unlocked', userId: id })
  })
}

/** Mails the owner a link to set a new password; who asks for it sees none. @throws not_found, invalid_request for a closed account */
export async function startReset (deps: Deps, caller: Caller, id: string): Promise<void> {
  await inTransaction(deps, async ctx => {
    const { email, active } = await lockTarget(ctx, caller, id)
    if (!active) throw new AppError('invalid_request', { detail: 'The account is disabled; nobody would be sent a link.' })
    await recordEvent(ctx, { ...byAdmin(caller, caller.source), type: 'password.reset_requested', userId: id })
    await enqueueMail(ctx, { kind: 'reset_password', email })
  })
}
