import type { Config } from '../../config.ts'
import type { Source } from '../../core/audit/events.ts'
import { recordEvent } from '../../core/audit/store.ts'
import type { Jobs } from '../../core/jobs/jobs.ts'
import type { Keyring } from '../../core/keys/keyring.ts'
import { enqueueMail } from '../../core/mail/enqueue.ts'
import type { BreachedPasswords } from '../../core/passwords/breached.ts'
import type { Passwords, Waiter } from '../../core/passwords/hash.ts'
import { judgePassword } from '../../core/passwords/judge.ts'
import { saltOf } from '../../core/passwords/phc.ts'
import type { Revocations } from '../../core/revocations/live.ts'
import { resetFingerprint, resetSalt, verifyActionToken } from '../../core/tokens/action-token.ts'
import { issueDeviceToken } from '../../core/tokens/device-token.ts'
import { inTransaction } from '../../core/transaction.ts'
import { findForCheck, setPassword, type SignInRecord } from '../../core/users/store.ts'
import type { Db } from '../../db/client.ts'
import { AppError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'

type Deps = { db: Db, clock: Clock, jobs: Jobs, keyring: Keyring, passwords: Passwords, breached: BreachedPasswords, revocations: Revocations, config: Config }

/**
 * Sets a new password, or the first one of an account that has none, and ends every session. Signs nobody in. The link fits only what it was made for (password,
 * epoch and address), so a use, a change of either or a sign-out everywhere kills it and every older one.
 * @returns what the browser is known by from now on: whoever set the password is no stranger
 * @throws token_used when it was this link that set the present password; invalid_action_token, weak_password, login_busy
 */
export async function confirmReset (deps: Deps, input: { token: string, new_password: string }, { waiter, source }: { waiter: Waiter, source: Source }): Promise<{ token: string, maxAge: number }> {
  const { claims: { sub, pf }, jti, key } = await verifyActionToken(deps, 'pr', input.token)
  const salt = resetSalt(key, jti)
  const seen = await findForCheck(deps.db, sub)
  if (!seen || !seen.active || resetFingerprint(key, seen) !== pf) throw stale(seen, salt)
  await judgePassword(deps, input.new_password, { pointer: '/new_password', email: seen.email, name: seen.name })
  const passwordHash = await deps.passwords.hash(input.new_password, waiter, salt)
  const done = await inTransaction(deps, async ctx => {
    const done = await setPassword(ctx.db, seen, passwordHash, { verified: true })
    if (done === null) return null
    await recordEvent(ctx, { type: 'password.reset', actor: `user:${sub}`, userId: sub, source })
    await enqueueMail(ctx, { kind: 'password_changed', user_id: sub })
    return done
  })
  if (done === null) throw stale(await findForCheck(deps.db, sub), salt)
  deps.revocations.note('u', sub, done.epoch)
  return issueDeviceToken(deps, { id: sub, passwordHash }, null, done.now)
}

/** A password whose salt is the one that only this link makes was set by this link: the retry of a lost answer hears that its first try worked. */
function stale (user: SignInRecord | null, salt: Buffer): AppError {
  const own = user?.active && user.passwordHash !== null && saltOf(user.passwordHash)?.equals(salt)
  return new AppError(own ? 'token_used' : 'invalid_action_token')
}
