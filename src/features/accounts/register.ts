import type { Config } from '../../config.ts'
import type { Source } from '../../core/audit/events.ts'
import { recordEvent } from '../../core/audit/store.ts'
import type { Jobs } from '../../core/jobs/jobs.ts'
import { enqueueMail } from '../../core/mail/enqueue.ts'
import type { BreachedPasswords } from '../../core/passwords/breached.ts'
import type { Passwords, Waiter } from '../../core/passwords/hash.ts'
import { judgePassword } from '../../core/passwords/judge.ts'
import type { Limits } from '../../core/throttle/limits.ts'
import { inTransaction } from '../../core/transaction.ts'
import { requireEmail } from '../../core/users/require-email.ts'
import { createUser, type User } from '../../core/users/store.ts'
import type { Db } from '../../db/client.ts'
import { AppError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'
import { uuidv7 } from '../../lib/ids.ts'

type Application = { email: string, name: string | null, passwordHash: string }

/**
 * What has to be judged and hashed before anything is written. Hashed whether the address is taken or not: the time must not tell.
 * @throws invalid_request, weak_password, too_many_requests, login_busy
 */
export async function prepareAccount (
  deps: { passwords: Passwords, breached: BreachedPasswords, limits: Limits, config: Config },
  input: { email: string, password: string, name?: string },
  waiter: Waiter
): Promise<Application> {
  const email = requireEmail(input.email)
  const name = input.name ?? null
  await judgePassword(deps, input.password, { pointer: '/password', email, name })
  // Each of them sends a mail there, whoever asks.
  if (deps.config.requireVerifiedEmail) await deps.limits.mailbox(email)
  return { email, name, passwordHash: await deps.passwords.hash(input.password, waiter) }
}

/**
 * One transaction: the account, what is recorded of it, and a mail. Where addresses must be confirmed, an address that has an account costs the same statements
 * and changes nothing of it; its owner gets another mail. So whoever took the address of somebody else first gains nothing (pre-hijacking).
 * @returns the new user, or null where the answer must not tell whether the address was new
 * @throws email_taken (only where addresses need no confirmation)
 */
export async function register (
  deps: { db: Db, clock: Clock, jobs: Jobs, config: Pick<Config, 'requireVerifiedEmail'> }, { email, name, passwordHash }: Application, source: Source
): Promise<User | null> {
  const { clock, config: { requireVerifiedEmail } } = deps
  return await inTransaction(deps, async ctx => {
    const id = uuidv7(clock.now())
    const user = await createUser(ctx.db, { id, email, name, passwordHash })
    if (user === null && !requireVerifiedEmail) throw new AppError('email_taken')
    await recordEvent(ctx, { type: 'account.created', actor: 'anonymous', source, ...(user ? { userId: id } : { outcome: 'failure' }) })
    await enqueueMail(ctx, { kind: user ? 'verify_email' : 'known_address', email })
    return requireVerifiedEmail ? null : user
  })
}
