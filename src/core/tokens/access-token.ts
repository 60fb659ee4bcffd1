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
