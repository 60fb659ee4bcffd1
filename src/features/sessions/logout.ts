import type { Config } from '../../config.ts'
import type { Keyring } from '../../core/keys/keyring.ts'
import type { Revocations } from '../../core/revocations/live.ts'
import { endFamily } from '../../core/sessions/store.ts'
import { verifyRefreshToken } from '../../core/tokens/refresh-token.ts'
import type { Db } from '../../db/client.ts'
import { AppError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'

type Deps = { db: Db, clock: Clock, keyring: Keyring, revocations: Revocations, config: Config }

/** A refresh token, the session of a verified access token, or nothing. */
export type Presented = { refreshToken?: string, sid?: string }

/** Ends the session for good, in one statement. Nothing to end, or ended already, is success: a lost answer may be retried. */
export async function logout (deps: Deps, presented: Presented): Promise<void> {
  const sid = presented.sid ?? (presented.refreshToken === undefined ? undefined : await sessionOf(deps, presented.refreshToken))
  if (sid === undefined) return
  await endFamily(deps.db, sid)
  deps.revocations.note('s', sid)
}

async function sessionOf (deps: Deps, refreshToken: string): Promise<string | undefined> {
  try {
    return (await verifyRefreshToken(deps, refreshToken)).claims.sid
  } catch (error) {
    if (error instanceof AppError && error.code === 'session_ended') return undefined
    throw error
  }
}
