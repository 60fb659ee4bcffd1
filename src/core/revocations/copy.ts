import { revocationId, type RevocationKind } from '../../lib/digest.ts'
import type { Revocable } from './endings.ts'
import { FeedLog } from './feed-log.ts'
import type { RevocationRow } from './store.ts'

const SWEEP_EVERY_SECONDS = 1

type Entry = { val: number, expiresAt: number }

/** Endings in memory, in two orders: by name, to look a token up, and by transaction, to pass on. Adding one twice changes nothing. */
export class EndingsCopy {
  #entries = new Map<string, Entry>()
  #log = new FeedLog()
  #sweptAt = 0

  get size (): number { return this.#entries.size }
  get log (): FeedLog { return this.#log }

  /** @returns false when it was known */
  add (row: RevocationRow): boolean {
    if (!this.#log.add(row)) return false
    this.#raise(entryKey(row.kind, row.id), { val: row.val, expiresAt: row.expires_at })
    return true
  }

  /** For looking up only: what this node knows before it is in the feed. */
  note (kind: RevocationKind, value: string, entry: Entry): void { this.#raise(entryKey(kind, revocationId(kind, value)), entry) }

  clear (): void {
    this.#entries = new Map()
    this.#log = new FeedLog()
  }

  /** @param now the time of the source */
  sweep (now: number): void {
    if (now - this.#sweptAt <= SWEEP_EVERY_SECONDS) return
    for (const [key, { expiresAt }] of this.#entries) if (expiresAt < now) this.#entries.delete(key)
    this.#log.expire(now)
    this.#sweptAt = now
  }

  isRevoked (token: Revocable, kid: string): boolean {
    if (this.#entries.size === 0) return false
    return (token.sid !== undefined && this.has('s', token.sid)) || this.has('j', token.jti) || this.has('k', kid) ||
      this.#value('u', token.sub) > (token.ver ?? Infinity) || this.#value('a', '') > token.iat
  }

  has (kind: RevocationKind, value: string): boolean { return this.#entries.has(entryKey(kind, revocationId(kind, value))) }
  #value (kind: RevocationKind, value: string): number { return this.#entries.get(entryKey(kind, revocationId(kind, value)))?.val ?? -Infinity }

  /** Only ever up: two endings of one user may be heard of in either order. */
  #raise (key: string, { val, expiresAt }: Entry): void {
    const known = this.#entries.get(key) ?? { val, expiresAt }
    this.#entries.set(key, { val: Math.max(val, known.val), expiresAt: Math.max(expiresAt, known.expiresAt) })
  }
}

const entryKey = (kind: RevocationKind, id: Uint8Array): string => kind + Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('base64url')
