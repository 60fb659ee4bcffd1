import { randomBytes } from 'node:crypto'
import { uuidToBase64url } from '../../lib/ids.ts'
import { ACCESS_TYP, type AccessClaims } from '../../sdk/claims.ts'
import type { Key } from '../keys/keyring.ts'
import { scopeInForce, type Granted, type SessionClaims } from './session-claims.ts'
import { USER_SCOPES } from './scopes.ts'
import { signerFor } from './signer.ts'

export { ACCESS_TYP, isAccessClaims, isInTime, LEEWAY_SECONDS, type AccessClaims } from '../../sdk/claims.ts'

export type Issuer = { publicUrl: string, tokenAudience: string, accessTokenTtlSeconds: number }

const signerOf = signerFor(ACCESS_TYP)

/** One generation's access token: its claims depend on nothing but the arguments, so every node issues the same. */
export function issueAccessToken (key: Key, config: Issuer, session: SessionClaims, granted: Granted, gen: number, iat: number): { token: string, exp: number } {
  const claims = claimsOf(config, session, granted, gen, iat)
  return { token: signerOf(key)(claims), exp: claims.exp }
}

/** Ours come last: whatever name a custom claim has, it overrides none of them. */
function claimsOf (config: Issuer, session: SessionClaims, { roles, claims }: Granted, gen: number, iat: number): AccessClaims {
  return {
    ...claims,
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
    roles: [...roles],
    iat,
    exp: Math.min(iat + config.accessTokenTtlSeconds, session.sexp),
  }
}

const SIGNATURE_BYTES = { ES256: 64, RS256: 256 }
/** Of an RFC 7638 thumbprint, as every key of ours has it. */
const KID_LENGTH = 43
const LARGEST = { session: '00000000-0000-7000-8000-000000000000', integer: 2_147_483_647, instant: 9_999_999_999 }

/** How many bytes the longest access token has that these roles and claims can lead to: with the longest numbers and every scope. */
export function largestAccessToken (config: Issuer & { clientId: string, signingAlg: 'ES256' | 'RS256' }, granted: Granted): number {
  const { session: id, integer, instant } = LARGEST
  const session: SessionClaims = { sub: id, sid: id, ver: integer, client_id: config.clientId, scope: USER_SCOPES.join(' '), amr: ['pwd'], auth_time: instant, sexp: instant }
  const header = { alg: config.signingAlg, typ: ACCESS_TYP, kid: 'x'.repeat(KID_LENGTH) }
  const [head, payload] = [header, claimsOf(config, session, granted, integer, instant)].map(part => Buffer.byteLength(JSON.stringify(part)))
  return [head!, payload!, SIGNATURE_BYTES[config.signingAlg]].map(bytes => Math.ceil(bytes * 4 / 3)).reduce((sum, segment) => sum + 1 + segment, -1)
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
