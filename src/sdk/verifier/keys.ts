import { createRemoteJWKSet, customFetch, errors, type CryptoKey, type FlattenedJWSInput, type JWSHeaderParameters } from 'jose'
import { VerifierError } from './errors.ts'
import { PER_REQUEST } from './runtime.ts'

export type Fetch = (url: string, init: RequestInit) => Promise<Response>
type Reason = { type: 'keys_failed', error: unknown }

/** As long as the service lets caches keep the set. */
const RENEW_AFTER_MS = 300_000
/** The service's stale-if-error, and no longer than the feed remembers a revoked key. */
const KEEP_FOR_MS = 86_400_000
/**
 * After an attempt that failed, and between two for unknown keys: an issuer that is away is not asked for every token, nor one that answers for every unknown key. A key signs once it
 * has been public for the issuer's max-age; whoever may not ask again for longer than that refuses good tokens after an emergency.
 */
const SPACING_MS = 2_000
const TIMEOUT_MS = 5_000
const TOO_SOON = new Error('the keys could not be fetched a moment ago')

/** The issuer's public keys: found by its metadata, held in memory, renewed in the background, kept while the issuer is away. */
export class Keys {
  readonly #issuer: string
  readonly #fetch: Fetch
  readonly #emit: (event: Reason) => void
  #set: ReturnType<typeof createRemoteJWKSet> | undefined
  #opening: Promise<ReturnType<typeof createRemoteJWKSet>> | undefined
  #askedKeysAt = -Infinity
  #failedAt = -Infinity

  constructor ({ issuer, fetch, emit }: { issuer: string, fetch: Fetch, emit: (event: Reason) => void }) {
    this.#issuer = issuer
    this.#fetch = fetch
    this.#emit = emit
  }

  /** @throws unknown_key, keys_unavailable */
  async find (header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    try {
      const set = this.#set ??= await this.#open()
      if (performance.now() - this.#askedKeysAt > RENEW_AFTER_MS && set.fresh) {
        const renewed = set.reload().catch(() => {})
        if (PER_REQUEST) await renewed
      }
      return await set(header, token)
    } catch (cause) {
      if (cause instanceof errors.JWKSNoMatchingKey || cause instanceof errors.JWKSMultipleMatchingKeys) throw new VerifierError('unknown_key', { cause })
      if (cause !== TOO_SOON) this.#failedAt = performance.now()
      throw new VerifierError('keys_unavailable', { cause })
    }
  }

  #open (): Promise<ReturnType<typeof createRemoteJWKSet>> {
    if (PER_REQUEST) return this.#readMetadata()
    this.#opening ??= this.#readMetadata().finally(() => { this.#opening = undefined })
    return this.#opening
  }

  /** RFC 8414 §3.3: metadata of another issuer is not to be used. */
  async #readMetadata (): Promise<ReturnType<typeof createRemoteJWKSet>> {
    return await this.#told(async () => {
      const answer = await this.#fetch(`${this.#issuer}/.well-known/oauth-authorization-server`, { headers: { accept: 'application/json' }, redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) })
      if (answer.status !== 200) throw new Error(`the metadata of the issuer answered ${answer.status}`)
      const { issuer, jwks_uri: jwksUri } = await answer.json() as Record<string, unknown>
      if (issuer !== this.#issuer) throw new Error('the metadata is of another issuer')
      const url = new URL(String(jwksUri))
      if (url.protocol !== 'https:' && this.#issuer.startsWith('https:')) throw new Error('jwks_uri is not https')
      return createRemoteJWKSet(url, { cacheMaxAge: KEEP_FOR_MS, cooldownDuration: SPACING_MS, timeoutDuration: TIMEOUT_MS, [customFetch]: this.#fetchKeys })
    })
  }

  readonly #fetchKeys: Fetch = async (url, init) => {
    return await this.#told(async () => {
      this.#askedKeysAt = performance.now()
      return await this.#fetch(url, init)
    })
  }

  async #told<T> (work: () => Promise<T>): Promise<T> {
    if (performance.now() - this.#failedAt < SPACING_MS) throw TOO_SOON
    try { return await work() } catch (error) {
      this.#emit({ type: 'keys_failed', error })
      throw error
    }
  }
}
