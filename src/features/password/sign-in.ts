import type { Config } from '../../config.ts'
import type { AuditEvent } from '../../core/audit/events.ts'
import type { Jobs } from '../../core/jobs/jobs.ts'
import type { Keyring } from '../../core/keys/keyring.ts'
import { comparePassword, settle, type Guesser } from '../../core/passwords/check.ts'
import type { Passwords } from '../../core/passwords/hash.ts'
import { startSession, type IssuedTokens } from '../../core/sessions/issue.ts'
import type { Limits } from '../../core/throttle/limits.ts'
import { issueDeviceToken } from '../../core/tokens/device-token.ts'
import { findForSignIn, type User } from '../../core/users/store.ts'
import type { Db } from '../../db/client.ts'
import { AppError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'
import { canonicalEmail } from '../../lib/email-address.ts'

type Deps = { db: Db, clock: Clock, keyring: Keyring, passwords: Passwords, limits: Limits, jobs: Jobs, config: Config }
type Input = { email: string, password: string, remember?: boolean, scope?: string }
type SignedIn = { user: User, tokens: IssuedTokens, device: { token: string, maxAge: number } }

/**
 * Counted, read, hashed, written: whether it was right is told once that is written down, and who signed in finds it again in the audit trail. What the
 * tokens carry (epoch, roles, time) is what the read saw: a password change or a disabling while the hash runs makes them refused by their own `ver`.
 * @throws invalid_credentials, email_not_verified (only with the right password), too_many_requests, login_busy
 */
export async function signIn (deps: Deps, input: Input, by: Guesser): Promise<SignedIn> {
  const { db, config, keyring, limits } = deps
  // An address that cannot be one takes the same path as one without an account: counters, look-up, hash, refusal.
  const email = canonicalEmail(input.email)
  const [user] = await Promise.all([findForSignIn(db, email ?? ''), limits.attempt('sign-in', by.waiter.bucket)])
  const compared = await comparePassword(deps, user, email ?? input.email, input.password, by)

  const refused: AuditEvent = { type: 'session.refused', outcome: 'failure', actor: 'anonymous', userId: user?.id ?? null, source: by.source, data: { browser: compared.browser } }
  if (!user || !compared.right) {
    await settle(deps, user, compared, { right: null, wrong: refused })
    throw new AppError('invalid_credentials')
  }
  const confirmed = user.emailVerified || !config.requireVerifiedEmail
  const scope = [...new Set(['account', ...(input.scope?.split(' ') ?? [])])].join(' ')
  const tokens = startSession(deps, { user, scope, remember: input.remember ?? true, amr: ['pwd'], now: user.now })
  const started: AuditEvent = { type: 'session.started', actor: `user:${user.id}`, userId: user.id, sid: tokens.sid, source: by.source, data: { ...tokens.facts, browser: compared.browser } }
  const right = confirmed ? started : { ...refused, data: { browser: compared.browser, reason: 'email_not_verified' } }
  if (!await settle(deps, user, compared, { right, wrong: refused })) throw new AppError('invalid_credentials')
  if (!confirmed) throw new AppError('email_not_verified')
  const passwordHash = compared.rehash?.to ?? user.passwordHash!
  return { user, tokens, device: issueDeviceToken({ keyring }, { id: user.id, passwordHash }, compared.device, user.now) }
}
