import { randomBytes } from 'node:crypto'
import { uuidToBase64url } from '../../lib/ids.ts'
import { ACCESS_TYP, type AccessClaims } from '../../sdk/claims.ts'
import type { Key } from '../keys/keyring.ts'
import { scopeInForce, type SessionClaims } from './session-claims.ts'
import { signerFor } from './signer.ts'

export { ACCESS_TYP, isAccessClaims, LEEWAY_SECONDS, type AccessClaims } from '../../sdk/claims.ts'

type Issuer = { publicUrl: string, tokenAudience: string, accessTokenTtlSeconds: number }

const signerOf = signerFor(ACCESS_TYP)

/** One generation's access token: its claims depend on nothing but the arguments, so every node issues the same. */
export function issueAccessToken (key: Key, config: Issuer, session: SessionClaims, roles: string[], gen: number, iat: number): { token: string, exp: number } {
  const exp = Math.min(iat + config.accessTokenTtlSeconds, session.sexp)
  const claims: AccessClaims = {
    iss: config.publicUrl,
    aud: config.tokenAudience,
    sub: session.sub,
    client_id: session.client_id,
    jti: `${uuidToBase64url(session.sid)}.${gen}`,
    sid: session.sid,
    ver: session.ver,
    auth_time: session.auth_time,
    amr: session.amr,
    acr: 'aal1',
    scope: scopeInForce(session.scope, roles),
    roles,
    iat,
    exp,
  }
  return { token: signerOf(key)(claims), exp }
}

/**
 * A service's own token (RFC 6749 §4.4): no session, and so no claims of one. `ver` is 0, below the epoch of an ending of its id.
 * `now` is the database's time, seconds.
 */
export function issueClientToken (key: Key, config: Issuer, { clientId, scope, now }: { clientId: string, scope: string, now: number }): { token: string, expiresIn: number } {
  const iat = Math.floor(now)
  const exp = iat + config.accessTokenTtlSeconds
  const claims: AccessClaims = {
    iss: config.publicUrl,
    aud: config.tokenAudience,
    sub: clientId,
    client_id: clientId,
    jti: randomBytes(16).toString('base64url'),
    ver: 0,
    scope,
    iat,
    exp,
  }
  return { token: signerOf(key)(claims), expiresIn: Math.floor(exp - now) }
}
