import { uuidv7 } from '../../lib/ids.ts'
import type { Keyring } from '../keys/keyring.ts'
import { issueAccessToken } from '../tokens/access-token.ts'
import { issueRefreshToken } from '../tokens/refresh-token.ts'
import { scopeInForce, type Granted, type SessionClaims } from '../tokens/session-claims.ts'

type Settings = {
  publicUrl: string, tokenAudience: string, clientId: string
  accessTokenTtlSeconds: number, refreshTokenTtlSeconds: number, sessionMaxSeconds: number, tokenMaxBytes: number
}
type Deps = { keyring: Keyring, config: Settings }

export type IssuedTokens = {
  accessToken: string
  /** Near the size that roles and claims may lead to: the next role may be refused. */
  large: boolean
  /** Seconds from `now`. */
  expiresIn: number
  refreshToken: string
  /** Seconds from `now` for which a cookie is to be kept; null: until the browser closes. */
  refreshMaxAge: number | null
}

/** What the row of a sign-in in the audit trail says of it: by `ver` and `sexp` its owner sees later whether it may still live. */
export type SessionFacts = { ver: number, sexp: number, amr: string[], client_id: string, scope: string, remember: boolean }

/** Of the limit; above it, whoever runs the service should know before an administrator meets the limit. */
const LARGE = 0.8

type SignIn = { user: { id: string, epoch: number } & Granted, scope: string, remember: boolean, amr: string[], now: number }

/** A new session: nothing is written, the tokens are the session. `now` is the database's time when the user was read. */
export function startSession (deps: Deps, signIn: SignIn): IssuedTokens & { sid: string, facts: SessionFacts } {
  const session = newSession(deps, signIn)
  return { sid: session.sid, facts: factsOf(session), ...issueGeneration(deps, session, { gen: 1, granted: signIn.user, issuedAt: signIn.now, now: signIn.now }) }
}

/** What a sign-in makes of what was read; pure, so that it can be recorded before it is signed. */
export function newSession ({ config }: Pick<Deps, 'config'>, { user, scope, remember, amr, now }: SignIn): SessionClaims {
  const iat = Math.floor(now)
  return {
    sub: user.id,
    sid: uuidv7(now * 1000),
    ver: user.epoch,
    client_id: config.clientId,
    scope: scopeInForce(scope, user.roles),
    amr,
    auth_time: iat,
    sexp: iat + config.sessionMaxSeconds,
    ...(!remember && { persist: false }),
  }
}

export const factsOf = ({ ver, sexp, amr, client_id, scope, persist }: SessionClaims): SessionFacts => ({ ver, sexp, amr, client_id, scope, remember: persist !== false })

/**
 * The tokens of one generation: a pure function of the session, the generation and `issuedAt` (the database's time at
 * which the generation before was spent). Every node that answers for it answers the same.
 */
export function issueGeneration (
  { keyring, config }: Deps,
  session: SessionClaims,
  { gen, granted, issuedAt, now }: { gen: number, granted: Granted, issuedAt: number, now: number }
): IssuedTokens {
  const iat = Math.floor(issuedAt)
  const refresh = issueRefreshToken(keyring.signingKey('rt', iat), config, session, gen, iat)
  const access = issueAccessToken(keyring.signingKey('at', iat), config, session, granted, gen, iat)
  return {
    accessToken: access.token,
    large: access.token.length > config.tokenMaxBytes * LARGE,
    expiresIn: Math.max(0, Math.floor(access.exp - now)),
    refreshToken: refresh.token,
    refreshMaxAge: session.persist === false ? null : Math.max(0, Math.floor(refresh.exp - now)),
  }
}
