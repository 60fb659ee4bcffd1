import { hash } from 'node:crypto'
import type { RevocationKind } from '../../lib/digest.ts'
import type { RevocationRow } from './store.ts'

/** One ending as the feed shows it: id in base64url, `expiresAt` in seconds. */
export type FeedEntry = { name: string, xid: bigint, kind: RevocationKind, id: string, val: number, expiresAt: number, print: bigint }

/**
 * The living entries in the order of their transactions, so that "everything from cursor c on" is a slice. Adding is
 * idempotent: the feed is a set, and what is read twice is the same entry.
 */
export class FeedLog {
  #entries: FeedEntry[] = []
  readonly #known = new Set<string>()
  /** At each place the XOR of all prints from there on; made when first asked for after a change. */
  #prints: bigint[] | null = null

  get size (): number { return this.#entries.length }

  /** @returns false when the entry was known */
  add ({ xid, kind, id, val, expires_at: expiresAt }: RevocationRow): boolean {
    const bytes = Buffer.from(id.buffer, id.byteOffset, id.byteLength)
    const name = `${xid}:${kind}:${bytes.toString('hex')}:${val}`
    if (this.#known.has(name)) return false
    this.#known.add(name)
    // The digests in store.ts make the same print in the database.
    const print = hash('sha256', name, 'buffer').readBigUInt64BE()
    const entry = { name, xid: BigInt(xid), kind, id: bytes.toString('base64url'), val, expiresAt, print }
    this.#entries.splice(this.#position(entry.xid + 1n), 0, entry)
    this.#prints = null
    return true
  }

  /** Every entry whose transaction is `xid` or later. */
  from (xid: bigint): FeedEntry[] { return this.#entries.slice(this.#position(xid)) }

  /** Fingerprint of `from(xid)`, however many entries that is. */
  printFrom (xid: bigint): string {
    if (!this.#prints) {
      const prints = [0n]
      for (const entry of this.#entries.toReversed()) prints.push(prints.at(-1)! ^ entry.print)
      this.#prints = prints.reverse()
    }
    return hex(this.#prints[this.#position(xid)]!)
  }

  all (): readonly FeedEntry[] { return this.#entries }

  expire (now: number): void {
    if (!this.#entries.some(entry => entry.expiresAt < now)) return
    for (const entry of this.#entries) if (entry.expiresAt < now) this.#known.delete(entry.name)
    this.#entries = this.#entries.filter(entry => entry.expiresAt >= now)
    this.#prints = null
  }

  /** The first place at which an entry of transaction `xid` may stand. */
  #position (xid: bigint): number {
    let low = 0
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#entries[middle]!.xid < xid) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Free of order, so that any two nodes can compare what a client was given. */
export const fingerprint = (entries: readonly FeedEntry[]): string =>
  hex(entries.reduce((print, entry) => print ^ entry.print, 0n))

const hex = (print: bigint): string => print.toString(16).padStart(16, '0')
