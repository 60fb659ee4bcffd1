import type { KeyEncryptionKeys } from '../../config-values.ts'
import type { Db } from '../../db/client.ts'
import { AppError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../log.ts'
import type { AuditEvent } from '../audit/events.ts'
import { startLoop } from '../loop.ts'
import { generateKey, privatePem, publicPem } from './generate.ts'
import type { PublicKeys, PublishedKey } from './public-keys.ts'
import { rotateSigningKey, type Rotation } from './rotate.ts'
import { isPublished, KEY_USES, keyToSignWith, leadSecondsOf, missingKeys, refreshEveryMs, slotAt, type KeyUse } from './schedule.ts'
import { sealKey, unsealKey } from './sealing.ts'
import { insertKey, loadKeys, rewrapKey, type KeyRow } from './store.ts'

export type Key = PublishedKey & {
  readonly use: KeyUse, readonly slot: number, readonly rev: number
  readonly compromised: boolean, readonly createdAt: number
  /** PEM of the private half, or the HMAC bytes. Never logged, never serialised. */
  readonly secret: string | Buffer
}

type Settings = {
  keyEncryptionKey: KeyEncryptionKeys, signingAlg: 'ES256' | 'RS256', keySlotSeconds: number, jwksMaxAgeSeconds: number
  accessTokenTtlSeconds: number, sessionMaxSeconds: number
}

const RETRY_AFTER_MS = 5_000
const UNKNOWN_KID_COOLDOWN_MS = 5_000

/**
 * The keys of this installation: a read-only cache of `signing_key` that refreshes itself, and makes keys that are due.
 * Keys are looked up in a Map: `kid` comes from the caller, and "constructor" must find nothing.
 */
export class Keyring implements PublicKeys {
  readonly #deps: { db: Db, clock: Clock, log: Log, settings: Settings }
  #keys: ReadonlyMap<string, Key> = new Map()
  #reloading: Promise<void> | undefined
  #loadedAt = -Infinity
  #attemptedAt = -Infinity
  #loop: { stop: () => void } | undefined
  /** Database time minus this node's clock, in seconds. */
  #skew = 0

  constructor (deps: { db: Db, clock: Clock, log: Log, settings: Settings }) { this.#deps = deps }

  /** First load; afterwards the ring keeps itself current until `stop`. */
  async start (): Promise<void> {
    await this.reload()
    const everyMs = refreshEveryMs(this.#deps.settings.keySlotSeconds)
    this.#loop = startLoop(everyMs, () => this.reload().then(() => everyMs, error => {
      this.#deps.log.warn({ err: (error as Error).message }, 'signing keys could not be refreshed')
      return Math.min(RETRY_AFTER_MS, everyMs)
    }))
  }

  stop (): void { this.#loop?.stop() }

  get ready (): boolean { return this.#keys.size > 0 }

  /** The database's time in seconds, as far as this node's clock has it. */
  get now (): number { return this.#deps.clock.now() / 1000 + this.#skew }

  get readAt (): number { return this.#loadedAt }

  /** A key that may still verify: known and not compromised. */
  find (use: KeyUse, kid: string): Key | undefined {
    const key = this.#keys.get(kid)
    if (key?.use !== use || key.compromised) return undefined
    // What has left the JWKS has no living token: a key that leaks after that is worth nothing.
    return use === 'at' && !this.#isPublished(key) ? undefined : key
  }

  /** Every key of a use that may still open what it closed, where what was closed does not name its key. */
  usable (use: KeyUse): Key[] { return [...this.#keys.values()].filter(key => key.use === use && !key.compromised) }

  /**
   * As `find`, after one coalesced reload when the kid is unknown (a key made elsewhere a moment ago). At most one reload
   * in five seconds, however many kids are tried. `fresh` says whether the ring was re-read since the call began, so
   * that "no such key" can be told from "could not look".
   */
  async findFresh (use: KeyUse, kid: string): Promise<{ key: Key | undefined, fresh: boolean }> {
    const known = this.find(use, kid)
    // A key of another use, or a compromised one, will never be a good one: that answer needs no second look.
    if (known || this.#keys.has(kid)) return { key: known, fresh: true }
    const began = performance.now()
    if (this.#reloading ?? began - this.#attemptedAt >= UNKNOWN_KID_COOLDOWN_MS) await this.reload().catch(() => {})
    return { key: this.find(use, kid), fresh: this.#loadedAt >= began }
  }

  /**
   * @param unixSeconds database time of what is signed, so that every node picks the same key
   * @throws database_unavailable where every key of the use was revoked, for as long as the ones in their place are being made
   */
  signingKey (use: KeyUse, unixSeconds: number): Key {
    const key = this.#toSignWith(use, unixSeconds)
    if (!key) throw new AppError('database_unavailable', { retryAfterSeconds: 1, cause: new Error(`no usable ${use} key for ${unixSeconds}`) })
    return key
  }

  #toSignWith (use: KeyUse, unixSeconds: number): Key | undefined {
    const { settings } = this.#deps
    return keyToSignWith(this.#keys.values(), use, {
      slot: slotAt(unixSeconds, settings.keySlotSeconds), at: unixSeconds, leadSeconds: leadSecondsOf(use, settings),
    })
  }

  /** For the metrics, in seconds: how old the key is that signs now (none where none does), and how long its slot still lasts. */
  ages (): { use: KeyUse, age: number, untilNext: number }[] {
    const now = this.now
    const { keySlotSeconds } = this.#deps.settings
    const untilNext = (slotAt(now, keySlotSeconds) + 1) * keySlotSeconds - now
    return KEY_USES.flatMap(use => {
      const key = this.#toSignWith(use, now)
      return key ? [{ use, age: now - key.createdAt, untilNext }] : []
    })
  }

  /** What the JWKS shows: keys in use, keys whose tokens still live, and the next slot's. */
  published (): Key[] {
    return [...this.#keys.values()].filter(key => key.public && this.#isPublished(key))
  }

  #isPublished (key: Key): boolean {
    const { settings } = this.#deps
    return isPublished(key, this.now, settings.keySlotSeconds, settings.accessTokenTtlSeconds)
  }

  /** Planned, by hand. This node shows the new key at once, others when they look. */
  async rotate (by: Pick<AuditEvent, 'actor' | 'source'>): Promise<Rotation> {
    const rotation = await rotateSigningKey(this.#deps, by)
    await this.reread()
    return rotation
  }

  /** A key was revoked: what is being read at this moment may be from before that, so it is read again, until it was. */
  async reread (): Promise<void> {
    await this.#reloading?.catch(() => {})
    await this.reload().catch((error: Error) => {
      this.#deps.log.warn({ err: error.message }, 'signing keys could not be refreshed')
      setTimeout(async () => await this.reread(), 1_000).unref()
    })
  }

  /** Re-reads all keys, and makes those that are due. Calls that overlap share one run. */
  reload (): Promise<void> {
    this.#attemptedAt = performance.now()
    this.#reloading ??= this.#load().finally(() => { this.#reloading = undefined })
    return this.#reloading
  }

  async #load (): Promise<void> {
    const { db, clock, settings } = this.#deps
    const { keySlotSeconds, sessionMaxSeconds } = settings
    const horizon = Math.max(sessionMaxSeconds, 86_400 + 3_600) + keySlotSeconds
    for (let attempt = 0; attempt < 5; attempt++) {
      const startedAt = performance.now()
      const { rows, now } = await loadKeys(db, horizon, keySlotSeconds)
      this.#retire(rows)
      const missing = missingKeys(rows, slotAt(now, keySlotSeconds))
      if (missing.length === 0) {
        this.#skew = now - clock.now() / 1000
        this.#keys = new Map(rows.map(row => [row.kid, this.#open(row)]))
        this.#loadedAt = startedAt
        await this.#rewrap(rows)
        return
      }
      for (const place of missing) await this.#create(place)
    }
    throw new Error('signing keys could not be made')
  }

  async #create (place: { use: KeyUse, slot: number, rev: number }): Promise<void> {
    const { db, settings, log } = this.#deps
    const key = await generateKey(place.use === 'at' ? settings.signingAlg : 'HS256')
    const won = await insertKey(db, { ...key, ...place, ...sealKey(settings.keyEncryptionKey, { ...key, ...place }, key.secret) })
    if (won) log.info({ kid: key.kid, alg: key.alg, ...place }, 'signing key created')
  }

  /** Before anything that can fail, such as a new key sealed under a key-encryption key that this node does not have yet. */
  #retire (rows: readonly KeyRow[]): void {
    for (const { kid, compromised } of rows) {
      const known = this.#keys.get(kid)
      if (compromised && known && !known.compromised) this.#keys = new Map([...this.#keys, [kid, { ...known, compromised }]])
    }
  }

  /** Keys that were open already are kept, and with them what others have cached by their identity. */
  #open (row: KeyRow): Key {
    const known = this.#keys.get(row.kid)
    if (known?.compromised === row.compromised) return known
    const { use, slot, rev, kid, alg, compromised, created_at: createdAt } = row
    // A compromised key is only known by name: nothing is signed or verified with it.
    const secret = compromised ? Buffer.alloc(0) : unsealKey(this.#deps.settings.keyEncryptionKey, row)
    return {
      use, slot, rev, kid, alg, compromised, createdAt,
      secret: alg === 'HS256' || compromised ? secret : privatePem(secret),
      public: row.public_jwk && { jwk: row.public_jwk, pem: publicPem(row.public_jwk) },
    }
  }

  async #rewrap (rows: readonly KeyRow[]): Promise<void> {
    const { db, settings: { keyEncryptionKey } } = this.#deps
    const [current] = keyEncryptionKey.keys()
    for (const row of rows.filter(row => row.kek_id !== current && !row.compromised)) {
      const { sealed, kekId } = sealKey(keyEncryptionKey, row, unsealKey(keyEncryptionKey, row))
      await rewrapKey(db, row.kid, row.kek_id, kekId, sealed)
    }
  }
}
