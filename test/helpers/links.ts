import { addressDigest, issueEmailChangeToken, issueResetToken, issueVerificationToken } from '../../src/core/tokens/action-token.ts'
import { findForCheck } from '../../src/core/users/store.ts'
import type { Node, World } from './world.ts'

/** The links of an account as they would be mailed now: what follows `#token=`. `later` seconds from now, on the node's clock. */
export async function linksOf ({ ctx, clock }: Pick<Node, 'ctx' | 'clock'>, id: string, { to = 'new@mail.test' } = {}) {
  const user = await findForCheck(ctx.db, id)
  if (!user) throw new Error('there is no such account')
  const now = clock.now() / 1000
  return {
    verification: issueVerificationToken(ctx, user, now),
    reset: issueResetToken(ctx, user, now),
    emailChange: issueEmailChangeToken(ctx, { sub: id, old: user.email, new: to, ver: user.epoch }, now),
    digest: addressDigest(user.email),
  }
}

type Queued = { kind: string, email?: string, user_id?: string }

/** What was given to the queue of mail so far, sent or not. */
export const mailsOf = async ({ sql }: Pick<World, 'sql'>): Promise<Queued[]> =>
  (await sql<{ data: Queued }>("SELECT data FROM pgboss.job WHERE name = 'email' ORDER BY created_on, id")).map(({ data }) => data)

/** What was recorded, but for the sign-ins on the way unless those are asked for. */
export const eventsOf = async ({ sql }: Pick<World, 'sql'>, { signIns = false } = {}) =>
  (await sql<{ type: string, outcome: string, actor: string, user_id: string | null, sid: string | null }>('SELECT type, outcome, actor, user_id, sid FROM audit_event ORDER BY at, id'))
    .filter(({ type }) => signIns || !['session.started', 'session.refused'].includes(type))
