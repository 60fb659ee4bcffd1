import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../../config.ts'
import { byAdmin } from '../../core/audit/events.ts'
import { recordEvent } from '../../core/audit/store.ts'
import type { Jobs } from '../../core/jobs/jobs.ts'
import { enqueueMail } from '../../core/mail/enqueue.ts'
import { inTransaction } from '../../core/transaction.ts'
import type { Account } from '../../core/users/admin/account.ts'
import { findAccount, insertAccount, type NewAccount } from '../../core/users/admin/store.ts'
import { requireClaims, requireClaimsFit, requireRoles } from '../../core/users/claims.ts'
import { requireEmail } from '../../core/users/require-email.ts'
import { requireLocale } from '../../core/users/require-locale.ts'
import type { Db } from '../../db/client.ts'
import { AppError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'
import { uuidv7 } from '../../lib/ids.ts'
import type { Caller } from './caller.ts'

type Deps = { db: Db, clock: Clock, jobs: Jobs, config: Config }

export type Wanted = {
  email: string, name?: string, roles?: string[], claims?: Record<string, unknown>, locale?: string, email_verified?: boolean
  /** Mails its owner a link to set the first password; true unless said otherwise. */
  send_invitation?: boolean
}

/** A new account without a password. In a transaction, it is created, recorded and its owner invited, or nothing is. @throws email_taken, invalid_request, claims_too_large */
export async function createAccount (deps: Deps, caller: Caller, wanted: Wanted): Promise<Account> {
  const account = toNewAccount(deps, uuidv7(deps.clock.now()), wanted)
  return await inTransaction(deps, async ctx => {
    const created = await insertAccount(ctx.db, account)
    if (!created) throw new AppError('email_taken')
    await announce(ctx, caller, created, wanted)
    return created
  })
}

/**
 * The same under an id of the caller's choice: repeated, it changes nothing.
 * @throws precondition_failed when there is an account with this id and it is not like that; email_taken
 */
export async function putAccount (deps: Deps, caller: Caller, id: string, wanted: Wanted): Promise<{ account: Account, created: boolean }> {
  const account = toNewAccount(deps, id, wanted)
  return await inTransaction(deps, async ctx => {
    const created = await insertAccount(ctx.db, account, { reborn: true })
    if (created) {
      await announce(ctx, caller, created, wanted)
      return { account: created, created: true }
    }
    const there = await findAccount(ctx.db, id)
    if (!there) throw new AppError('email_taken')
    if (!isLike(there, account)) throw new AppError('precondition_failed', { detail: 'There is an account with this id, and it is another one; PATCH changes it.' })
    return { account: there, created: false }
  })
}

function toNewAccount (deps: Deps, id: string, { email, name, roles = [], claims = {}, locale, email_verified: emailVerified = false }: Wanted): NewAccount {
  const granted = { roles: requireRoles(roles), claims: requireClaims(claims) }
  requireClaimsFit(deps, granted)
  return { id, email: requireEmail(email), emailVerified, name: name ?? null, locale: locale === undefined ? null : requireLocale(locale), ...granted }
}

async function announce (ctx: Deps, caller: Caller, { id, roles }: Account, { send_invitation: invite = true }: Wanted): Promise<void> {
  await recordEvent(ctx, { ...byAdmin(caller, caller.source), type: 'account.created', userId: id, data: { roles, invited: invite } })
  if (invite) await enqueueMail(ctx, { kind: 'invitation', user_id: id })
}

/** An address that was confirmed since is still the same account. */
const isLike = (there: Account, { email, emailVerified, name, roles, claims, locale }: NewAccount): boolean =>
  there.active && (there.emailVerified || !emailVerified) &&
  isDeepStrictEqual([there.email, there.name, there.roles, there.claims, there.locale], [email, name, roles, claims, locale])
