import { createVerifier } from 'fast-jwt'
import type { Clock } from '../../lib/clock.ts'
import { isUuid } from '../../lib/ids.ts'
import { LEEWAY_SECONDS } from '../../sdk/claims.ts'
import type { AssertionKey } from '../clients/jwks.ts'
import { parseForeign } from './compact.ts'

/** An assertion stands for a secret, and whoever sees one can use it: it is to be made for one request. */
const LONGEST_SECONDS = 60
/** Client libraries write JWT or nothing. Tokens of ours say what they are, and are none of this kind (RFC 8725 §3.11). */
const TYPES = [undefined, 'jwt', 'client-authentication+jwt']

type Claims = Record<string, unknown>

/** Who an assertion says it is from, before anything is verified; null when it can be nobody's. */
export function issuerOfAssertion (assertion: string): string | null {
  const claims = parseForeign(assertion) && claimsOf(assertion)
  return claims && isUuid(claims['iss']) && claims['sub'] === claims['iss'] ? claims['iss'] : null
}

/** RFC 7523 §3: signed by the client's own key, for us, and for now. On the calling thread, as all verification here. */
export function isAssertionOf (client: { id: string, keys: ReadonlyMap<string, AssertionKey> }, assertion: string, { publicUrl, tokenEndpoint, clock }: { publicUrl: string, tokenEndpoint: string, clock: Clock }): boolean {
  const header = parseForeign(assertion)
  const key = header && client.keys.get(header.kid)
  if (!key || key.alg !== header.alg || !TYPES.includes(header.typ?.toLowerCase())) return false
  const claims = verifySignature(key, assertion)
  if (!claims) return false
  const { iss, sub, aud, exp, iat, nbf } = claims
  const now = clock.now() / 1000
  // Every audience must be us: one that another server accepts too could be replayed here by that server.
  const audiences = Array.isArray(aud) ? aud : [aud]
  return iss === client.id && sub === client.id &&
    audiences.length > 0 && audiences.every(audience => audience === publicUrl || audience === tokenEndpoint) &&
    isInstant(exp) && exp > now && exp <= now + LONGEST_SECONDS + LEEWAY_SECONDS &&
    (iat === undefined || (isInstant(iat) && iat < now + LEEWAY_SECONDS && iat < exp)) &&
    (nbf === undefined || (isInstant(nbf) && nbf < now + LEEWAY_SECONDS))
}

/** Signature only; every claim, times included, is checked above against our own clock. */
const verifiers = new WeakMap<AssertionKey, (token: string) => unknown>()
function verifySignature (key: AssertionKey, assertion: string): Claims | null {
  let verify = verifiers.get(key)
  if (!verify) {
    verify = createVerifier({ key: key.pem, algorithms: [key.alg], cache: false, ignoreExpiration: true, ignoreNotBefore: true }) as (token: string) => unknown
    verifiers.set(key, verify)
  }
  try {
    const claims = verify(assertion)
    return typeof claims === 'object' && claims !== null && !Array.isArray(claims) ? claims as Claims : null
  } catch { return null }
}

function claimsOf (assertion: string): Claims | null {
  try {
    const claims: unknown = JSON.parse(Buffer.from(assertion.split('.')[1]!, 'base64url').toString())
    return typeof claims === 'object' && claims !== null && !Array.isArray(claims) ? claims as Claims : null
  } catch { return null }
}

/** RFC 7519 §2 NumericDate, within what a date can be. */
const isInstant = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value < 1e11
