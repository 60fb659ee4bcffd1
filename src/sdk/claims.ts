/** RFC 9068 §2.1: a token of another kind is never taken for an access token. */
export const ACCESS_TYP = 'at+jwt'
/** How far clocks may differ, in seconds. */
export const LEEWAY_SECONDS = 60

/**
 * The claims of an access token (RFC 9068); instants in seconds since the epoch. One with `sid` is of a user who signed in, and has all of
 * them; one without is a service's own (RFC 6749 §4.4): it has none of `sid`, `auth_time`, `amr`, `acr` and `roles`.
 */
export type AccessClaims = {
  iss: string, aud: string | string[]
  /** The user; of a service's own token, the client. */
  sub: string
  client_id: string, jti: string
  /** The sign-in. */
  sid?: string
  /** The user's epoch at sign-in; 0 for a service. */
  ver: number
  auth_time?: number, amr?: string[], acr?: string
  /** Separated by spaces. */
  scope: string
  roles?: string[], iat: number, exp: number
}

/**
 * Are these the claims of a living access token of ours? Run after the signature was found good: a valid signature says
 * who wrote the claims, not that they are well formed, for us, or still in time (RFC 8725 §3.8–3.10, RFC 9068 §4).
 */
export function isAccessClaims (claims: unknown, expected: { issuer: string, audience: string, clock: { now: () => number } }): claims is AccessClaims {
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) return false
  const { iss, aud, sub, client_id: clientId, jti, ver, scope, iat, exp, nbf } = claims as Record<string, unknown>
  const now = expected.clock.now() / 1000
  return iss === expected.issuer &&
    (aud === expected.audience || (isStrings(aud) && aud.includes(expected.audience))) &&
    isUuid(sub) && isText(clientId) && isText(jti) && Number.isInteger(ver) && isText(scope) &&
    (isOfUser(claims as Record<string, unknown>) || isOfClient(claims as Record<string, unknown>)) &&
    isInstant(exp) && isInstant(iat) && (nbf === undefined || isInstant(nbf)) && isInTime({ exp, iat, nbf }, now)
}

/** @param now seconds since the epoch */
export const isInTime = ({ exp, iat, nbf }: { exp: number, iat: number, nbf?: number | undefined }, now: number): boolean =>
  exp > now - LEEWAY_SECONDS && iat < now + LEEWAY_SECONDS && (nbf === undefined || nbf < now + LEEWAY_SECONDS)

const isOfUser = ({ sid, roles }: Record<string, unknown>): boolean => isUuid(sid) && isStrings(roles)

/** Nothing of a sign-in, and the client itself as subject: a user's token that lost its session is not one. */
const isOfClient = (claims: Record<string, unknown>): boolean =>
  claims['sub'] === claims['client_id'] && claims['ver'] === 0 && OF_A_SIGN_IN.every(name => claims[name] === undefined)
const OF_A_SIGN_IN = ['sid', 'auth_time', 'amr', 'acr', 'roles']

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const isUuid = (value: unknown): value is string => typeof value === 'string' && UUID.test(value)
const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
const isStrings = (value: unknown): value is string[] => Array.isArray(value) && value.every(item => typeof item === 'string')
/** RFC 7519 §2 NumericDate, within what a date can be: 1e300 is a number too. */
const isInstant = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value < 1e11
