import type { Config } from '../../config.ts'
import type { Keyring } from '../../core/keys/keyring.ts'
import type { Passwords, Waiter } from '../../core/passwords/hash.ts'
import { startSession, type IssuedTokens } from '../../core/sessions/issue.ts'
import { findForSignIn, replaceHash, type User } from '../../core/users/store.ts'
import type { Db } from '../../db/client.ts'
import { AppError } from '../../errors.ts'
import { canonicalEmail } from '../../lib/email-address.ts'
import type { Log } from '../../log.ts'

type Deps = { db: Db, keyring: Keyring, passwords: Passwords, config: Config, log: Log }
type Input = { email: string, password: string, remember?: boolean, scope?: string }

/**
 * One read, one hash, two signatures. What the tokens carry (epoch, roles, time) is what that read saw: a password change
 * or a disabling while the hash runs makes them refused by their own `ver`.
 * @throws invalid_credentials, email_not_verified (only with the right password), login_busy
 */
export async function signIn (deps: Deps, input: Input, waiter: Waiter): Promise<{ user: User, tokens: IssuedTokens }> {
  const { db, passwords, config, log } = deps
  // An address that cannot be one takes the same path as one without an account: look-up, hash, refusal.
  const user = await findForSignIn(db, canonicalEmail(input.email) ?? '')
  const verdict = await passwords.verify(user?.passwordHash ?? null, input.password, waiter)
  if (!user || !verdict.ok || !user.active) throw new AppError('invalid_credentials')
  if (config.requireVerifiedEmail && !user.emailVerified) throw new AppError('email_not_verified')
  if (verdict.rehash !== null) {
    // The password was right; that its new hash cannot be stored now is no reason to refuse.
    await replaceHash(db, user.id, { from: user.passwordHash!, to: verdict.rehash })
      .catch((error: Error) => log.warn({ err: error.message }, 'a password hash could not be renewed'))
  }
  const scope = [...new Set(['account', ...(input.scope?.split(' ') ?? [])])].join(' ')
  const tokens = startSession(deps, { user, scope, remember: input.remember ?? true, amr: ['pwd'], now: user.now })
  return { user, tokens }
}
