import type { Config } from '../../config.ts'
import { recordEvent } from '../../core/audit/store.ts'
import type { Keyring } from '../../core/keys/keyring.ts'
import { enqueueMail } from '../../core/mail/enqueue.ts'
import type { BreachedPasswords } from '../../core/passwords/breached.ts'
import { checkPassword, type Guesser } from '../../core/passwords/check.ts'
import { judgePassword } from '../../core/passwords/judge.ts'
import type { Revocations } from '../../core/revocations/live.ts'
import { factsOf, issueGeneration, newSession, type IssuedTokens } from '../../core/sessions/issue.ts'
import { issueDeviceToken } from '../../core/tokens/device-token.ts'
import { inTransaction } from '../../core/transaction.ts'
import { setPassword } from '../../core/users/store.ts'
import { AppError } from '../../errors.ts'

type Deps = Parameters<typeof checkPassword>[0] & { keyring: Keyring, revocations: Revocations, breached: BreachedPasswords, config: Config }
type Caller = { sub: string, ver: number, scope: string }
type Changed = { tokens: IssuedTokens, device: { token: string, maxAge: number } }

/**
 * Ends every session, the caller's too, and gives the caller a new one. It is written down with the change, so that it shows among the user's sessions.
 * @throws invalid_credentials, weak_password, too_many_requests, login_busy; invalid_token also when somebody else changed the password or ended the sessions meanwhile
 */
export async function changePassword (
  deps: Deps, caller: Caller, input: { current_password: string, new_password: string }, { remember, ...by }: Guesser & { remember: boolean }
): Promise<Changed> {
  const { revocations } = deps
  const user = await checkPassword(deps, caller, input.current_password, by, 'password.change')
  await judgePassword(deps, input.new_password, { pointer: '/new_password', email: user.email, name: user.name })
  const passwordHash = await deps.passwords.hash(input.new_password, by.waiter)
  const { id } = user
  const event = { actor: `user:${id}`, userId: id, source: by.source } as const
  const { epoch, now, session } = await inTransaction(deps, async ctx => {
    const changed = await setPassword(ctx.db, user, passwordHash)
    if (changed === null) throw new AppError('invalid_token')
    await recordEvent(ctx, { ...event, type: 'password.changed' })
    const session = newSession(deps, { user: { ...user, epoch: changed.epoch }, scope: caller.scope, remember, amr: ['pwd'], now: changed.now })
    await recordEvent(ctx, { ...event, type: 'session.started', sid: session.sid, data: factsOf(session) })
    await enqueueMail(ctx, { kind: 'password_changed', user_id: id })
    return { ...changed, session }
  })
  revocations.note('u', id, epoch)
  const tokens = issueGeneration(deps, session, { gen: 1, granted: user, issuedAt: now, now })
  // The device cookie of the old password is void: whoever knew the new one first is known.
  return { tokens, device: issueDeviceToken(deps, { id, passwordHash }, null, now) }
}
