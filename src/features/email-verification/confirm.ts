import type { Config } from '../../config.ts'
import type { Source } from '../../core/audit/events.ts'
import { recordEvent } from '../../core/audit/store.ts'
import type { Keyring } from '../../core/keys/keyring.ts'
import { verifyActionToken } from '../../core/tokens/action-token.ts'
import { inTransaction } from '../../core/transaction.ts'
import { confirmEmail } from '../../core/users/store.ts'
import type { Db } from '../../db/client.ts'
import { AppError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'

type Deps = { db: Db, clock: Clock, keyring: Keyring, config: Config }

/** Repeating it is the same success, as long as the account has that address. @throws invalid_action_token */
export async function confirmVerification (deps: Deps, { token }: { token: string }, source: Source): Promise<void> {
  const { claims: { sub, em } } = await verifyActionToken(deps, 'ev', token)
  await inTransaction(deps, async ctx => {
    const confirmed = await confirmEmail(ctx.db, sub, Buffer.from(em, 'base64url'))
    if (confirmed === null) throw new AppError('invalid_action_token')
    if (confirmed.first) await recordEvent(ctx, { type: 'email.verified', actor: `user:${sub}`, userId: sub, source })
  })
}
