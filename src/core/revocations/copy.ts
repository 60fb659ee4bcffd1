import { revocationName, type RevocationKind } from '../../lib/digest.ts'
import type { Revocable } from './endings.ts'
import { FeedLog } from './feed-log.ts'
import type { RevocationRow } from './store.ts'

const SWEEP_EVERY_SECONDS = 1

type Entry = { val: number, expiresAt: number }
type Kinds = Record<RevocationKind, Map<string, Entry>>

const noKinds = (): Kinds => ({ s: new Map(), u: new Map(), j: new Map(), k: new Map(), a: new Map() })
const EVERYTHING = revocationName('a', '')

/** Endings in memory, in two orders: by name, to look a token up, and by transaction, to pass on. Adding one twice changes nothing. */
export class EndingsCopy {
  #kinds = noKinds()
  #log = new FeedLog()
  #sweptAt = 0
  #revision = 0

  get size (): number { return Object.values(this.#kinds).reduce((sum, entries) => sum + entries.size, 0) }
  get log (): FeedLog { return this.#log }
  get revision (): number { return this.#revision }

  /**
   * What has expired at `now`, the time of the source, is not taken in again: read anew while a long transaction holds the cursor
   * back, and swept again, it would be news each second.
   * @returns false when it was known, or has expired
   */
  add (row: RevocationRow, now: number): boolean {
    if (row.expires_at < now || !this.#log.add(row)) return false
    // A kind of a later release is passed on, and means nothing here yet.
    if (!Object.hasOwn(this.#kinds, row.kind)) return true
    this.#raise(row.kind, Buffer.from(row.id.buffer, row.id.byteOffset, row.id.byteLength).toString('base64url'), { val: row.val, expiresAt: row.expires_at })
    return true
  }

  /** For looking up only: what this node knows before it is in the feed. */
  note (kind: RevocationKind, value: string, entry: Entry): void { this.#raise(kind, revocationName(kind, value), entry) }

  clear (): void {
    this.#kinds = noKinds()
    this.#log = new FeedLog()
  }

  /** @param now the time of the source */
  sweep (now: number): void {
    if (now - this.#sweptAt <= SWEEP_EVERY_SECONDS) return
    for (const entries of Object.values(this.#kinds)) for (const [name, { expiresAt }] of entries) if (expiresAt < now) entries.delete(name)
    this.#log.expire(now)
    this.#sweptAt = now
  }

  isRevoked (token: Revocable, kid: string): boolean {
    return (token.sid !== undefined && this.has('s', token.sid)) || this.has('j', token.jti) || this.has('k', kid) ||
      this.#value('u', token.sub) > (token.ver ?? Infinity) || (this.#kinds.a.get(EVERYTHING)?.val ?? -Infinity) > token.iat
  }

  /** Nothing is hashed for a kind of which nothing ended. */
  has (kind: RevocationKind, value: string): boolean { return this.#kinds[kind].size > 0 && this.#kinds[kind].has(revocationName(kind, value)) }
  #value (kind: RevocationKind, value: string): number {
    return this.#kinds[kind].size === 0 ? -Infinity : this.#kinds[kind].get(revocationName(kind, value))?.val ?? -Infinity
  }

  /** Only ever up: two endings of one user may be heard of in either order. */
  #raise (kind: RevocationKind, name: string, { val, expiresAt }: Entry): void {
    this.#revision++
    const known = this.#kinds[kind].get(name) ?? { val, expiresAt }
    this.#kinds[kind].set(name, { val: Math.max(val, known.val), expiresAt: Math.max(expiresAt, known.expiresAt) })
  }
}
