import type { Context } from '../../context.ts'
import type { By } from '../../core/audit/events.ts'
import { keyStates } from '../../core/keys/schedule.ts'
import { compromiseKey, loadKeys, revokeEverything } from '../../core/keys/store.ts'
import { AppError } from '../../errors.ts'

const instant = (seconds: number): string => new Date(seconds * 1000).toISOString()

/** Every key that a living token can name, newest first, with what it does at this moment. Nothing that signs. */
export async function listKeys ({ db, config }: Pick<Context, 'db' | 'config'>) {
  const { keySlotSeconds: slotSeconds, sessionMaxSeconds } = config
  const { rows, now } = await loadKeys(db, sessionMaxSeconds + slotSeconds, slotSeconds)
  return keyStates(rows.map(({ created_at: createdAt, ...row }) => ({ ...row, createdAt })), now, config)
    .map(({ key: { use, kid, alg, slot, rev, createdAt }, state }) => ({ use, kid, alg, rev, state, slot_from: instant(slot * slotSeconds), slot_until: instant((slot + 1) * slotSeconds), created_at: instant(createdAt) }))
    .toReversed()
}

export async function rotate ({ keyring }: Pick<Context, 'keyring'>, by: By) {
  const { kid, alg, signsFrom } = await keyring.rotate(by)
  return { kid, alg, signs_from: instant(signsFrom) }
}

/** A key that may have leaked never comes back. This node signs with another before it answers. @throws not_found */
export async function revokeKey (ctx: Context, kid: string, by: By): Promise<void> {
  if (!await compromiseKey(ctx, kid, by)) throw new AppError('not_found')
  ctx.revocations.note('k', kid)
  await ctx.keyring.reread()
}

/** The breach button. Every access token from before this second is refused here at once, also the caller's own. */
export async function revokeAll (ctx: Context, by: By): Promise<void> {
  await revokeEverything(ctx, by)
  await Promise.all([ctx.revocations.poll(), ctx.keyring.reread()])
}
