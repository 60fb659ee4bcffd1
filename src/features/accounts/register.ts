import type { Config } from '../../config.ts'
import type { Passwords, Waiter } from '../../core/passwords/hash.ts'
import type { BreachedPasswords } from '../../core/passwords/breached.ts'
import { judgePassword } from '../../core/passwords/judge.ts'
import { createUser, type User } from '../../core/users/store.ts'
import type { Db } from '../../db/client.ts'
import { AppError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'
import { canonicalEmail } from '../../lib/email-address.ts'
import { uuidv7 } from '../../lib/ids.ts'

type Deps = { db: Db, clock: Clock, passwords: Passwords, breached: BreachedPasswords, config: Pick<Config, 'passwordMinLength' | 'requireVerifiedEmail' | 'publicUrl'> }

/**
 * @returns the new user, or null where the answer must not tell whether the address was new
 * @throws weak_password, email_taken (only where addresses need no confirmation), login_busy
 */
export async function register (
  deps: Deps,
  input: { email: string, password: string, name?: string },
  waiter: Waiter
): Promise<User | null> {
  const { db, clock, passwords, config } = deps
  const email = canonicalEmail(input.email)
  if (email === null) throw new AppError('invalid_request', { errors: [{ pointer: '/email', code: 'format', message: 'must be an e-mail address' }] })
  await judgePassword(deps, input.password, { email, name: input.name ?? null, pointer: '/password' })
  // Hashed whether the address is taken or not: the time must not tell.
  const passwordHash = await passwords.hash(input.password, waiter)
  const user = await createUser(db, { id: uuidv7(clock.now()), email, name: input.name ?? null, passwordHash })
  if (config.requireVerifiedEmail) return null
  if (user === null) throw new AppError('email_taken')
  return user
}
