import { createPublicKey } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import { AppError } from '../../errors.ts'
import { KID } from '../keys/public-keys.ts'

export const ASSERTION_ALGS = ['ES256', 'RS256', 'PS256'] as const
export type AssertionAlg = typeof ASSERTION_ALGS[number]
/** A public key that a client signs its assertions with: one key, one algorithm (RFC 8725 §3.1). */
export type AssertionKey = { kid: string, alg: AssertionAlg, pem: string }
/** What is kept of a key: public members, picked by name. */
export type ClientJwk = { kty: string, kid: string, use: 'sig', alg: AssertionAlg, crv?: string, x?: string, y?: string, n?: string, e?: string }

/** RFC 7518 §6: d and the rest of RSA's private members, other primes, and the value of a symmetric key. */
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const MAX_KEYS = 16
const LEAST_EXPONENT = 65_537n

/**
 * The keys that a client hands in to be known by. Refused is what would let somebody else sign in its name, or shows that its
 * private key has been passed around.
 * @throws invalid_request, with one sentence
 */
export async function parseClientJwks (text: string): Promise<{ keys: ClientJwk[] }> {
  let set: unknown
  try { set = JSON.parse(text) } catch { throw refusal('The key set is not JSON.') }
  const given: unknown = isObject(set) ? set['keys'] : undefined
  if (!Array.isArray(given) || given.length === 0 || given.length > MAX_KEYS) throw refusal(`The key set must be {"keys":[…]} with 1 to ${MAX_KEYS} keys.`)
  const keys = await Promise.all(given.map(async (jwk, at) => await parseKey(jwk, `Key ${at + 1} of the set`)))
  if (new Set(keys.map(({ kid }) => kid)).size < keys.length) throw refusal('Two keys of the set have the same kid.')
  return { keys }
}

async function parseKey (jwk: unknown, which: string): Promise<ClientJwk> {
  if (!isObject(jwk)) throw refusal(`${which} is not an object.`)
  if (PRIVATE.some(member => member in jwk)) throw refusal(`${which} is private or symmetric: hand in the public half only, and treat this one as leaked.`)
  const { kty, crv, x, y, n, e, use } = jwk
  if (use !== undefined && use !== 'sig') throw refusal(`${which} is not for signatures (use).`)
  const alg = algorithmOf(jwk, which)
  const members = kty === 'EC' ? { kty, crv, x, y } : { kty, n, e }
  checkStrength(members, which)
  const { kid = await calculateJwkThumbprint(members as never) } = jwk
  if (typeof kid !== 'string' || !KID.test(kid)) throw refusal(`${which} has a kid that is not 1 to 64 of A–Z, a–z, 0–9, - and _.`)
  return { ...members, kid, use: 'sig', alg } as ClientJwk
}

function algorithmOf ({ kty, crv, alg }: Record<string, unknown>, which: string): AssertionAlg {
  if (kty === 'EC' && crv === 'P-256' && (alg === undefined || alg === 'ES256')) return 'ES256'
  if (kty === 'RSA' && (alg === undefined || alg === 'RS256' || alg === 'PS256')) return alg ?? 'RS256'
  throw refusal(`${which} must be P-256 for ES256, or RSA for RS256 or PS256.`)
}

/** The library sees that a point lies on its curve. An RSA key is as weak as its size, and with a small exponent as its padding. */
function checkStrength (members: object, which: string): void {
  let details: { modulusLength?: number, publicExponent?: bigint } | undefined
  try { details = createPublicKey({ key: members, format: 'jwk' } as never).asymmetricKeyDetails } catch { throw refusal(`${which} is not a valid public key.`) }
  const { modulusLength, publicExponent } = details ?? {}
  if (modulusLength === undefined) return
  if (modulusLength < 2048 || modulusLength > 8192) throw refusal(`${which} has ${modulusLength} bits; RSA keys must have 2048 to 8192.`)
  if (publicExponent === undefined || publicExponent < LEAST_EXPONENT || publicExponent % 2n === 0n) throw refusal(`${which} has an RSA exponent other than 65537 or a larger odd number.`)
}

/** Of keys that were checked when they came in. */
export const assertionKeysOf = (jwks: { keys: ClientJwk[] }): ReadonlyMap<string, AssertionKey> => new Map(jwks.keys.map(({ kid, alg, ...members }) =>
  [kid, { kid, alg, pem: createPublicKey({ key: members, format: 'jwk' } as never).export({ type: 'spki', format: 'pem' }) as string }]))

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
const refusal = (detail: string): AppError => new AppError('invalid_request', { detail })
