import { AppError } from '../../errors.ts'
import { isObject, jsonFault } from '../../lib/plain-json.ts'
import { isRole } from '../../lib/role.ts'
import { largestAccessToken } from '../tokens/access-token.ts'
import type { CustomClaims, Granted } from '../tokens/session-claims.ts'

type Settings = Parameters<typeof largestAccessToken>[0] & { tokenMaxBytes: number }

/** A word, or a URL that keeps it apart from the names of others. */
const CLAIM = /^[A-Za-z_][A-Za-z0-9_.:/-]{0,127}$/
const MAX_DEPTH = 5

/**
 * Names that mean something already, or will: registered for JWT, used by this service, or members of an introspection answer (RFC 7662
 * §2.2). Of OpenID Connect also those that identify: a service would trust a copy that is wrong as soon as the user changes the address.
 */
export const RESERVED_CLAIMS: ReadonlySet<string> = new Set([
  'iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'typ', 'alg', 'kid', 'crit', 'cty',
  'client_id', 'scope', 'scp', 'roles', 'sid', 'ver', 'amr', 'acr', 'auth_time', 'gen', 'sexp', 'persist', 'hr',
  'cnf', 'act', 'may_act', 'azp', 'nonce', 'at_hash', 'c_hash', 's_hash', 'sub_jwk', 'sub_id', 'events', 'toe', 'txn', 'status', 'authorization_details',
  'htm', 'htu', 'ath', 'active', 'token_type', 'username', 'email', 'email_verified', 'phone_number', 'phone_number_verified',
])

/** @returns the roles, each once. @throws invalid_request */
export function requireRoles (roles: readonly string[]): string[] {
  const position = roles.findIndex(role => typeof role !== 'string' || !isRole(role))
  if (position >= 0) throw refused(`/roles/${position}`, 'pattern', 'must have 1 to 64 of the characters A–Z, a–z, 0–9, ".", "_", ":" and "-"')
  return [...new Set(roles)]
}

/** @throws invalid_request for what is not an object of JSON under names that are free */
export function requireClaims (claims: unknown): CustomClaims {
  if (!isObject(claims)) throw refused('/claims', 'type', 'must be an object')
  for (const [name, value] of Object.entries(claims)) {
    const pointer = `/claims/${name.slice(0, 128).replaceAll('~', '~0').replaceAll('/', '~1')}`
    if (!CLAIM.test(name) || jsonFault({ [name]: null }, 1)) throw refused(pointer, 'pattern', 'must have a name of 1 to 128 letters, digits and "_.:/-", not beginning with a digit or a sign')
    if (RESERVED_CLAIMS.has(name)) throw refused(pointer, 'reserved', 'is a name that tokens use themselves')
    const fault = jsonFault(value, MAX_DEPTH)
    if (fault) throw refused(pointer, 'format', fault)
  }
  return claims
}

/**
 * Whatever roles and claims come from, they pass here before they are stored: a token too long for a header would lock its user out of
 * every service at once.
 * @throws claims_too_large, with the size that the largest access token of this user would have
 */
export function requireClaimsFit ({ config }: { config: Settings }, granted: Granted): void {
  const bytes = largestAccessToken(config, granted)
  if (bytes <= config.tokenMaxBytes) return
  throw new AppError('claims_too_large', { detail: `Access tokens would have ${bytes} bytes; ${config.tokenMaxBytes} are allowed.` })
}

const refused = (pointer: string, code: string, message: string): AppError => new AppError('invalid_request', { errors: [{ pointer, code, message }] })
