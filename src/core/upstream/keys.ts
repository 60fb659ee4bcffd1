import { createPublicKey } from 'node:crypto'
import { AppError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../log.ts'
import { publicPem, type PublicJwk } from '../keys/generate.ts'
import { KID, type PublicKeys, type PublishedKey } from '../keys/public-keys.ts'
import { startLoop } from '../loop.ts'
import { UpstreamError, type Upstream } from './upstream.ts'

const RETRY_AFTER_MS = 5_000
const UNKNOWN_KID_COOLDOWN_MS = 5_000
/** The service's stale-if-error, and no longer than the feed remembers a revoked key. */
const KEEP_FOR_MS = 86_400_000
const MAX_KEYS = 100
const ANSWER = { timeoutMs: 5_000, maxBytes: 1_048_576 }

type Deps = {
  upstream: Upstream, clock: Clock, log: Log, issuer: string, jwksMaxAgeSeconds: number
  /** Says the feed that the key was revoked? Then it is gone here, though another node's key set still shows it. */
  isRevoked: (kid: string) => boolean
}

/**
 * The public keys of an upstream, read with its metadata: those of another issuer are never used (RFC 8414 §3.3). Read anew
 * each minute, for a kid nobody here has seen, and when a key was revoked; kept for a day while the upstream is away.
 */
export class UpstreamKeys implements PublicKeys {
  readonly #deps: Deps
  readonly #closing = new AbortController()
  #keys: ReadonlyMap<string, PublishedKey> = new Map()
  #readAtMs = -Infinity
  #reloading: Promise<void> | undefined
  #attemptedAt = -Infinity
  #failed = true
  #loop: { stop: () => void } | undefined

  constructor (deps: Deps) { this.#deps = deps }

  start (): void {
    const everyMs = Math.min(60_000, this.#deps.jwksMaxAgeSeconds * 200)
    this.#loop = startLoop(0, async () => await this.reload().then(() => everyMs, (error: Error) => {
      if (!this.#closing.signal.aborted) this.#deps.log.warn({ err: error.message }, 'the keys of the upstream could not be read')
      return Math.min(RETRY_AFTER_MS, everyMs)
    }))
  }

  stop (): void {
    this.#loop?.stop()
    this.#closing.abort()
  }

  get ready (): boolean { return this.#keys.size > 0 && this.#deps.clock.now() - this.#readAtMs < KEEP_FOR_MS }

  get readAt (): number { return performance.now() - (this.#deps.clock.now() - this.#readAtMs) }

  find (_use: 'at', kid: string): PublishedKey | undefined {
    return this.ready && !this.#deps.isRevoked(kid) ? this.#keys.get(kid) : undefined
  }

  /** @throws stale_revocations where "no such key" would only mean that nobody could be asked */
  async findFresh (use: 'at', kid: string): Promise<{ key: PublishedKey | undefined, fresh: boolean }> {
    this.#requireKeys()
    const known = this.find(use, kid)
    if (known || this.#keys.has(kid)) return { key: known, fresh: true }
    if (this.#reloading ?? performance.now() - this.#attemptedAt >= UNKNOWN_KID_COOLDOWN_MS) await this.reload().catch(() => {})
    const key = this.find(use, kid)
    if (!key && this.#failed) throw new AppError('stale_revocations', { retryAfterSeconds: 5 })
    return { key, fresh: true }
  }

  /** An empty set would be kept by caches: better none. @throws stale_revocations */
  published (): PublishedKey[] {
    this.#requireKeys()
    return [...this.#keys.values()].filter(({ kid }) => !this.#deps.isRevoked(kid))
  }

  #requireKeys (): void {
    if (!this.ready) throw new AppError('stale_revocations', { retryAfterSeconds: 5 })
  }

  /** A key was revoked: what is being read at this moment may be from before that, so it is read again, until it was. */
  async reread (): Promise<void> {
    await this.#reloading?.catch(() => {})
    await this.reload().catch(() => { if (!this.#closing.signal.aborted) setTimeout(async () => await this.reread(), RETRY_AFTER_MS).unref() })
  }

  /** @throws when the upstream is away, speaks for another issuer, or answers something else than a key set: nothing changes then */
  reload (): Promise<void> {
    this.#attemptedAt = performance.now()
    this.#reloading ??= this.#load().then(() => { this.#failed = false }, (error: unknown) => {
      this.#failed = true
      throw error
    }).finally(() => { this.#reloading = undefined })
    return this.#reloading
  }

  async #load (): Promise<void> {
    const { upstream, clock, issuer } = this.#deps
    const ask = { ...ANSWER, signal: this.#closing.signal }
    const [metadata, jwks] = await Promise.all([upstream.json('/.well-known/oauth-authorization-server', ask), upstream.json('/.well-known/jwks.json', ask)])
    const theirs = (metadata as { issuer?: unknown } | null)?.issuer
    if (theirs !== issuer) throw new UpstreamError(`it is of another issuer: PUBLIC_URL is ${issuer}, it says ${JSON.stringify(theirs)?.slice(0, 200)}`)
    this.#keys = new Map(parseJwks(jwks).map(key => [key.kid, key]))
    this.#readAtMs = clock.now()
  }
}

/** Of a kind that this release does not know a key is skipped (RFC 7517 §5); one that is malformed makes the whole answer none. */
function parseJwks (value: unknown): PublishedKey[] {
  const keys = (value as { keys?: unknown } | null)?.keys
  if (!Array.isArray(keys) || keys.length > MAX_KEYS) throw new UpstreamError('it answered no key set')
  const known = keys.flatMap(key => parseJwk(key) ?? [])
  if (known.length === 0 || new Set(known.map(({ kid }) => kid)).size !== known.length) throw new UpstreamError('it answered no usable key set')
  return known
}

function parseJwk (value: unknown): PublishedKey | null {
  const { kty, kid, alg, use, crv, x, y, n, e } = (value ?? {}) as Record<string, unknown>
  if (use !== 'sig' || (alg !== 'ES256' && alg !== 'RS256')) return null
  try {
    // Picked by name: whatever else is in it is not passed on.
    const jwk = (alg === 'ES256' ? { kty, crv, x, y } : { kty, n, e }) as PublicJwk
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = createPublicKey({ key: jwk, format: 'jwk' })
    const sound = alg === 'ES256' ? type === 'ec' && crv === 'P-256' : type === 'rsa' && (details?.modulusLength ?? 0) >= 2048
    if (sound && typeof kid === 'string' && KID.test(kid)) return { kid, alg, public: { jwk, pem: publicPem(jwk) } }
  } catch {}
  throw new UpstreamError('it answered a malformed key')
}
