import type { Config } from '../../config.ts'
import type { Source } from '../../core/audit/events.ts'
import type { Keyring } from '../../core/keys/keyring.ts'
import type { Revocations } from '../../core/revocations/live.ts'
import { endSession } from '../../core/sessions/end.ts'
import { readRefreshToken } from '../../core/tokens/refresh-token.ts'
import type { Db } from '../../db/client.ts'
import type { Clock } from '../../lib/clock.ts'

type Deps = { db: Db, clock: Clock, keyring: Keyring, revocations: Revocations, config: Config }

/** A refresh token, the session of a verified access token, or nothing. */
export type Presented = { refreshToken?: string, session?: Session }
type Session = { sid: string, sub: string }

/** Nothing to end, or ended already, is success: a lost answer may be retried. */
export async function logout (deps: Deps, presented: Presented, source: Source): Promise<void> {
  const session = presented.session ?? (presented.refreshToken === undefined ? null : await readRefreshToken(deps, presented.refreshToken))
  if (session) await endSession(deps, session, { actor: `user:${session.sub}`, source })
}
