import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../../config.ts'
import { byAdmin, type AuditEvent } from '../../core/audit/events.ts'
import { recordEvent } from '../../core/audit/store.ts'
import type { Jobs } from '../../core/jobs/jobs.ts'
import { enqueueMail } from '../../core/mail/enqueue.ts'
import type { Revocations } from '../../core/revocations/live.ts'
import { inTransaction } from '../../core/transaction.ts'
import type { Account } from '../../core/users/admin/account.ts'
import { updateAccount, type Changes } from '../../core/users/admin/store.ts'
import { requireClaims, requireClaimsFit, requireRoles } from '../../core/users/claims.ts'
import { ADMIN_ROLE } from '../../core/users/require-admin.ts'
import { requireEmail } from '../../core/users/require-email.ts'
import { requireLocale } from '../../core/users/require-locale.ts'
import type { Db } from '../../db/client.ts'
import { AppError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'
import { lockTarget, refuseSelf, type Caller } from './caller.ts'

type Deps = { db: Db, clock: Clock, jobs: Jobs, config: Config, revocations: Revocations }

export type Patch = {
  email?: string, email_verified?: boolean, name?: string | null, locale?: string | null
  roles?: string[], claims?: Record<string, unknown>, status?: 'active' | 'disabled'
  /** Ends every session, so that what was changed counts at once and not at the next refresh. */
  revoke_sessions?: boolean
}

/**
 * One transaction: what changes, the end of the sessions where that is asked for or the account closed, what is recorded, and the mails. What is as asked already is left alone.
 * @param etags the versions the caller may have seen; null where the change is right whatever else has changed
 * @throws precondition_failed when somebody has changed the account since; not_found, email_taken, invalid_request, claims_too_large
 */
export async function changeAccount (deps: Deps, caller: Caller, id: string, patch: Patch, etag: string | null): Promise<Account> {
  const wanted = toChanges(patch)
  const { account, ended } = await inTransaction(deps, async ctx => {
    const before = await lockTarget(ctx, caller, id)
    if (etag !== null && etag !== before.etag) throw new AppError('precondition_failed')
    const changes = differences(before, wanted)
    if (changes.active === false) refuseSelf(caller, id, 'disable your own account')
    if (changes.roles && before.roles.includes(ADMIN_ROLE) && !changes.roles.includes(ADMIN_ROLE)) refuseSelf(caller, id, `take the role "${ADMIN_ROLE}" from yourself`)
    if (changes.roles ?? changes.claims) requireClaimsFit(ctx, { roles: changes.roles ?? before.roles, claims: changes.claims ?? before.claims })
    const endSessions = patch.revoke_sessions === true || changes.active === false
    if (!endSessions && Object.keys(changes).length === 0) return { account: before, ended: false }

    const after = (await updateAccount(ctx.db, id, changes, { endSessions }))!
    for (const event of eventsOf(before, changes, { endSessions })) await recordEvent(ctx, { ...event, ...byAdmin(caller, caller.source), userId: id })
    if (changes.email !== undefined) {
      await enqueueMail(ctx, { kind: 'email_changed', user_id: id, old_email: before.email, new_email: after.email })
      if (!after.emailVerified) await enqueueMail(ctx, { kind: 'verify_email', email: after.email })
    }
    return { account: after, ended: endSessions }
  })
  if (ended) deps.revocations.note('u', id, account.epoch)
  return account
}

function toChanges ({ email, email_verified: emailVerified, name, locale, roles, claims, status }: Patch): Changes {
  return {
    email: email === undefined ? undefined : requireEmail(email),
    emailVerified,
    name,
    locale: locale && requireLocale(locale),
    roles: roles && requireRoles(roles),
    claims: claims && requireClaims(claims),
    active: status && status === 'active',
  }
}

function differences (before: Account, wanted: Changes): Changes {
  // A new address is not confirmed because the old one was.
  const moves = wanted.email !== undefined && wanted.email !== before.email
  const whole = { ...wanted, ...moves && { emailVerified: wanted.emailVerified ?? false } }
  return Object.fromEntries(Object.entries(whole).filter(([member, value]) => value !== undefined && !isDeepStrictEqual(value, before[member as keyof Changes])))
}

function eventsOf (before: Account, { email, emailVerified, name, locale, roles, claims, active }: Changes, { endSessions }: { endSessions: boolean }): Pick<AuditEvent, 'type' | 'data'>[] {
  const profile = [name !== undefined && 'name', locale !== undefined && 'locale'].filter(member => member !== false)
  return [
    ...active === undefined ? [] : [{ type: active ? 'account.enabled' : 'account.disabled' } as const],
    ...email === undefined ? [] : [{ type: 'email.changed', data: { verified: emailVerified ?? before.emailVerified } } as const],
    ...email === undefined && emailVerified !== undefined ? [{ type: 'email.verified', data: { verified: emailVerified } } as const] : [],
    ...profile.length === 0 ? [] : [{ type: 'profile.changed', data: { changed: profile } } as const],
    ...roles === undefined ? [] : [{ type: 'roles.changed', data: { added: roles.filter(role => !before.roles.includes(role)), removed: before.roles.filter(role => !roles.includes(role)) } } as const],
    ...claims === undefined ? [] : [{ type: 'claims.changed', data: { changed: changedNames(before.claims, claims) } } as const],
    ...endSessions && active === undefined ? [{ type: 'sessions.ended' } as const] : [],
  ]
}

/** Names, not values: those may be anything. */
const changedNames = (before: Record<string, unknown>, after: Record<string, unknown>): string[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(name => !isDeepStrictEqual(before[name], after[name]))
