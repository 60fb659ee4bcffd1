import type { Clock } from '../../lib/clock.ts'
import { isUuid, uuidToBase64url } from '../../lib/ids.ts'
import type { Key } from '../keys/keyring.ts'
import { scopeInForce, type SessionClaims } from './session-claims.ts'
import { signerFor } from './signer.ts'

/** RFC 9068 §2.1: a token of another kind is never taken for an access token. */
export const ACCESS_TYP = 'at+jwt'
/** How far clocks may differ, in seconds. */
export const LEEWAY_SECONDS = 60

export type AccessClaims = {
  iss: string, aud: string | string[], sub: string, client_id: string, jti: string, sid: string, ver: number
  auth_time: number, amr: string[], acr: string, scope: string, roles: string[], iat: number, exp: number
}

type Issuer = { publicUrl: string, tokenAudience: string, accessTokenTtlSeconds: number }

const signerOf = signerFor(ACCESS_TYP)

/** One generation's access token: its claims depend on nothing but the arguments, so every node issues the same. */
export function issueAccessToken (key: Key, config: Issuer, session: SessionClaims, roles: string[], gen: number, iat: number): string {
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
    exp: iat + config.accessTokenTtlSeconds,
  }
  return signerOf(key)(claims)
}

/**
 * Are these the claims of a living access token of ours? Run after the signature was found good: a valid signature says
 * who wrote the claims, not that they are well formed, for us, or still in time (RFC 8725 §3.8–3.10, RFC 9068 §4).
 */
export function isAccessClaims (claims: unknown, expected: { issuer: string, audience: string, clock: Clock }): claims is AccessClaims {
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) return false
  const { iss, aud, sub, client_id: clientId, jti, sid, ver, scope, roles, iat, exp, nbf } = claims as Record<string, unknown>
  const now = expected.clock.now() / 1000
  return iss === expected.issuer &&
    (aud === expected.audience || (isStrings(aud) && aud.includes(expected.audience))) &&
    isUuid(sub) && isText(clientId) && isText(jti) && isUuid(sid) && Number.isInteger(ver) && isText(scope) && isStrings(roles) &&
    isInstant(exp) && exp > now - LEEWAY_SECONDS &&
    isInstant(iat) && iat < now + LEEWAY_SECONDS &&
    (nbf === undefined || (isInstant(nbf) && nbf < now + LEEWAY_SECONDS))
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
const isStrings = (value: unknown): value is string[] => Array.isArray(value) && value.every(item => typeof item === 'string')
/** RFC 7519 §2 NumericDate, within what a date can be: 1e300 is a number too. */
const isInstant = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value < 1e11
