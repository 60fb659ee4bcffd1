import { createVerifier } from 'fast-jwt'
import { AppError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'
import { isUuid } from '../../lib/ids.ts'
import type { Key, Keyring } from '../keys/keyring.ts'
import { parseCompact } from './compact.ts'
import type { SessionClaims } from './session-claims.ts'
import { signerFor } from './signer.ts'

const REFRESH_TYP = 'rt+jwt'
/** The generation of a family that has ended; no token carries it. */
export const ENDED_GENERATION = 2_147_483_647

/** `kid`: the key that signed it. */
export type VerifiedRefreshToken = { claims: RefreshClaims, kid: string }

export type RefreshClaims = SessionClaims & { iss: string, aud: string, gen: number, iat: number, exp: number }

type Issuer = { publicUrl: string, refreshTokenTtlSeconds: number }

const signerOf = signerFor(REFRESH_TYP)
const audienceOf = (config: Issuer): string => `${config.publicUrl}/v1/auth/refresh`

/**
 * HS256 under a key that is in no JWKS, so that no third party can take it for an access token. No randomness: the
 * successor of a token is one string, byte for byte, whichever node makes it.
 */
export function issueRefreshToken (key: Key, config: Issuer, session: SessionClaims, gen: number, iat: number): { token: string, exp: number } {
  const { sub, sid, ver, client_id, scope, amr, auth_time, sexp, persist } = session
  const exp = Math.min(iat + config.refreshTokenTtlSeconds, sexp)
  const claims: RefreshClaims = {
    iss: config.publicUrl, aud: audienceOf(config), sub, sid, gen, ver, client_id, scope, amr, auth_time, iat, exp, sexp, ...(persist === false && { persist }),
  }
  return { token: signerOf(key)(claims), exp }
}

/**
 * @throws session_ended for anything that is not a refresh token of ours in its time; database_unavailable when its key
 * is unknown and could not be looked up, so that a node with an old key list never ends a session.
 */
export async function verifyRefreshToken ({ keyring, clock, config }: { keyring: Keyring, clock: Clock, config: Issuer }, token: string): Promise<VerifiedRefreshToken> {
  const header = parseCompact(token)
  if (!header || header.alg !== 'HS256' || header.typ !== REFRESH_TYP) throw new AppError('session_ended')
  const { key, fresh } = await keyring.findFresh('rt', header.kid)
  if (!key && !fresh) throw new AppError('database_unavailable', { retryAfterSeconds: 2 })
  if (!key) throw new AppError('session_ended')
  const claims = verifySignature(key, token)
  if (!isRefreshClaims(claims, config, clock)) throw new AppError('session_ended')
  return { claims, kid: key.kid }
}

/** The claims of a refresh token that lives, or null for anything else. @throws database_unavailable, as above */
export async function readRefreshToken (deps: Parameters<typeof verifyRefreshToken>[0], token: string): Promise<RefreshClaims | null> {
  try { return (await verifyRefreshToken(deps, token)).claims } catch (error) {
    if (error instanceof AppError && error.code === 'session_ended') return null
    throw error
  }
}

/** Signature and `typ` only; every claim, times included, is checked below against our own clock. */
const verifiers = new WeakMap<Key, (token: string) => unknown>()
function verifySignature (key: Key, token: string): unknown {
  let verify = verifiers.get(key)
  if (!verify) {
    verify = createVerifier({ key: key.secret, algorithms: ['HS256'], checkTyp: REFRESH_TYP, cache: false, ignoreExpiration: true, ignoreNotBefore: true }) as (token: string) => unknown
    verifiers.set(key, verify)
  }
  try { return verify(token) } catch (cause) { throw new AppError('session_ended', { cause }) }
}

function isRefreshClaims (claims: unknown, config: Issuer, clock: Clock): claims is RefreshClaims {
  if (typeof claims !== 'object' || claims === null) return false
  const { iss, aud, sub, sid, gen, ver, client_id: clientId, scope, amr, auth_time: authTime, exp, sexp } = claims as Record<string, unknown>
  const now = clock.now() / 1000
  return iss === config.publicUrl && aud === audienceOf(config) && isUuid(sub) && isUuid(sid) &&
    isGeneration(gen) && Number.isInteger(ver) && typeof clientId === 'string' && typeof scope === 'string' &&
    Array.isArray(amr) && typeof authTime === 'number' && typeof exp === 'number' && exp > now && typeof sexp === 'number' && sexp > now
}

const isGeneration = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 1 && (value as number) < ENDED_GENERATION - 1
