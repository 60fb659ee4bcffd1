/** RFC 9068 §2.1: a token of another kind is never taken for an access token. */
export const ACCESS_TYP = 'at+jwt'
/** How far clocks may differ, in seconds. */
export const LEEWAY_SECONDS = 60

/** The claims of an access token (RFC 9068); instants in seconds since the epoch. */
export type AccessClaims = {
  iss: string, aud: string | string[]
  /** The user. */
  sub: string
  client_id: string, jti: string
  /** The sign-in. */
  sid: string
  /** The user's epoch at sign-in. */
  ver: number
  auth_time: number, amr: string[], acr: string
  /** Separated by spaces. */
  scope: string
  roles: string[], iat: number, exp: number
}

/**
 * Are these the claims of a living access token of ours? Run after the signature was found good: a valid signature says
 * who wrote the claims, not that they are well formed, for us, or still in time (RFC 8725 §3.8–3.10, RFC 9068 §4).
 */
export function isAccessClaims (claims: unknown, expected: { issuer: string, audience: string, clock: { now: () => number } }): claims is AccessClaims {
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

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const isUuid = (value: unknown): value is string => typeof value === 'string' && UUID.test(value)
const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
const isStrings = (value: unknown): value is string[] => Array.isArray(value) && value.every(item => typeof item === 'string')
/** RFC 7519 §2 NumericDate, within what a date can be: 1e300 is a number too. */
const isInstant = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value < 1e11
