import { errors, jwtVerify, type FlattenedJWSInput, type JWSHeaderParameters, type ResolvedKey } from 'jose'
import { ACCESS_TYP, isAccessClaims, LEEWAY_SECONDS, type AccessClaims } from '../claims.ts'
import { VerifiedTokens } from '../verified-tokens.ts'
import { ALGORITHMS, parseCompact } from './compact.ts'
import { VerifierError } from './errors.ts'
import { Follower, type FeedEvent } from './follower.ts'
import { Keys, type Fetch } from './keys.ts'
import { RevocationSet, type Ids } from './revocations.ts'

export { VerifierError, type VerifierErrorCode } from './errors.ts'
export type { AccessClaims } from '../claims.ts'

/** What happens to the copies that a verifier keeps: for metrics and logs. `feed_stale` comes once, 10 s after the feed was lost. */
export type VerifierEvent = FeedEvent | { type: 'keys_failed', error: unknown }

export type VerifierOptions = {
  /** The service's `PUBLIC_URL`, character by character: no trailing slash. */
  issuer: string
  /** What tokens for this service have in `aud`: the service's `TOKEN_AUDIENCE`. */
  audience: string
  /** Instead of the global one: for a private address, a proxy, client certificates. */
  fetch?: (url: string, init: RequestInit) => Promise<Response>
  /** What it throws is ignored. */
  onEvent?: (event: VerifierEvent) => void
}

export type Verifier = {
  /**
   * @param options.maxStaleness seconds; when the copy of the feed is older and one read does not help, the call fails with
   * `stale_revocations`. Without it, verification goes on while the feed is away.
   * @returns claims that nobody can change: whoever sends the same token again gets the same
   * @throws VerifierError, never anything else
   */
  verify: (token: string, options?: { maxStaleness?: number | undefined }) => Promise<AccessClaims>
  /** Seconds since the `as_of` of the newest word from the feed; Infinity before the first. */
  staleness: () => number
  /** Begins to follow the feed; otherwise the first `verify` does. */
  start: () => void
  /** Ends the stream and follows no more. */
  close: () => void
}

type Seen = { readonly claims: AccessClaims, readonly kid: string, readonly header: JWSHeaderParameters, readonly key: ResolvedKey['key'], readonly ids: Ids }
/** Keys are found by the header alone. */
const UNREAD: FlattenedJWSInput = { payload: '', signature: '' }

/**
 * Verifies access tokens of one issuer (RFC 9068): strict form, signature by a published key, claims, and that nothing ended
 * them, by a copy of the revocation feed that follows the service. One verifier a process is enough.
 */
export function createVerifier ({ issuer, audience, fetch: given, onEvent }: VerifierOptions): Verifier {
  if (!/^https?:\/\/[^?#]*[^/?#]$/.test(issuer)) throw new TypeError('issuer must be an http(s) URL without a trailing slash')
  if (typeof audience !== 'string' || audience === '') throw new TypeError('audience must be a string')
  const fetch: Fetch = given ?? (async (url, init) => await globalThis.fetch(url, init))
  const emit = (event: VerifierEvent) => { try { onEvent?.(event) } catch {} }
  const expected = { issuer, audience, clock: { now: () => Date.now() } }
  const checks = { algorithms: ALGORITHMS, typ: ACCESS_TYP, issuer, audience, clockTolerance: LEEWAY_SECONDS }
  const keys = new Keys({ issuer, fetch, emit })
  const revocations = new RevocationSet()
  const follower = new Follower({ url: `${issuer}/v1/revocations`, fetch, revocations, emit })
  const find = (header: JWSHeaderParameters, token: FlattenedJWSInput) => keys.find(header, token)
  const seen = new VerifiedTokens<Seen>()

  /** What a good signature says stays so; whether its key is still published, and the claims in time, is asked each time. Whatever is not goes the whole way, to be refused in its words. */
  async function recall (token: string): Promise<Seen | undefined> {
    const known = seen.find(token)
    if (!known) return undefined
    const key = await keys.find(known.header, UNREAD).catch(() => undefined)
    if (key === known.key && isAccessClaims(known.claims, expected)) return known
    seen.forget(token)
    return undefined
  }

  async function check (token: string, kid: string): Promise<Seen> {
    const { payload, protectedHeader, key } = await jwtVerify(token, find, checks).catch((cause: unknown) => { throw errorOf(cause) })
    if (!isAccessClaims(payload, expected)) throw new VerifierError('invalid_claims')
    const { alg, typ } = protectedHeader
    const checked = { claims: payload, kid, header: { alg, kid, ...typ !== undefined && { typ } }, key, ids: {} }
    seen.remember(token, checked)
    return checked
  }

  return {
    async verify (token, { maxStaleness } = {}) {
      let known = typeof token === 'string' ? await recall(token) : undefined
      if (!known) {
        const header = parseCompact(token)
        if (!header) throw new VerifierError('malformed_token')
        follower.start()
        known = await check(token, header.kid)
      }
      const { claims, kid, ids } = known
      if (revocations.asOf === 0) await follower.ready()
      if (maxStaleness !== undefined && !(follower.staleness() <= maxStaleness)) {
        await follower.refresh()
        if (!(follower.staleness() <= maxStaleness)) throw new VerifierError('stale_revocations')
      } else await follower.catchUp()
      if (revocations.isRevoked(claims, kid, ids)) throw new VerifierError('revoked')
      return claims
    },
    staleness: () => follower.staleness(),
    start: () => follower.start(),
    close: () => follower.close(),
  }
}

function errorOf (cause: unknown): VerifierError {
  if (cause instanceof VerifierError) return cause
  if (cause instanceof errors.JWTExpired) return new VerifierError('expired', { cause })
  if (cause instanceof errors.JWSSignatureVerificationFailed) return new VerifierError('invalid_signature', { cause })
  if (cause instanceof errors.JWTClaimValidationFailed || cause instanceof errors.JWTInvalid) return new VerifierError('invalid_claims', { cause })
  return new VerifierError('malformed_token', { cause })
}
