import { sha256 } from '@noble/hashes/sha2.js'
import type { AccessClaims } from '../claims.ts'

/** One ending: kind (s session, u user, j token, k key, a everything), id, end of its life, and for u and a the value below which tokens are refused. */
type Item = [kind: string, id: string, expiresAt: number, val?: number]
export type FeedDocument = { cursor: string, as_of: number, full: boolean, e: Item[] }
type Entry = { expiresAt: number, val: number }
/** A token's own, by kind. */
export type Ids = { s?: string, j?: string, k?: string, u?: string }
type Kinds = Record<'s' | 'u' | 'j' | 'k' | 'a', Map<string, Entry>>

const SWEEP_EVERY_SECONDS = 10
const noKinds = (): Kinds => ({ s: new Map(), u: new Map(), j: new Map(), k: new Map(), a: new Map() })

/** What has ended, as the feed told it. Applying an entry twice changes nothing. */
export class RevocationSet {
  #kinds = noKinds()
  #asOf = 0
  #sweptAt = 0

  /** Database time of the newest document, in seconds; 0 before the first. */
  get asOf (): number { return this.#asOf }
  get size (): number { return Object.values(this.#kinds).reduce((sum, map) => sum + map.size, 0) }

  apply ({ as_of: asOf, full, e }: Pick<FeedDocument, 'as_of' | 'full' | 'e'>, now = Date.now() / 1000): void {
    // A full document from before what we have (two requests crossed) must not take away what came since.
    if (full && asOf >= this.#asOf) this.#kinds = noKinds()
    for (const [kind, id, expiresAt, val = 0] of e) {
      if (!Object.hasOwn(this.#kinds, kind)) continue // a kind of a later version
      const map = this.#kinds[kind as keyof Kinds]
      const known = map.get(id)
      map.set(id, { expiresAt: Math.max(expiresAt, known?.expiresAt ?? 0), val: Math.max(val, known?.val ?? val) })
    }
    this.#asOf = Math.max(this.#asOf, asOf)
    this.#sweep(Math.min(now, this.#asOf))
  }

  /** @param ids what was hashed for this token before, and will be again */
  isRevoked ({ sid, jti, sub, ver, iat }: Pick<AccessClaims, 'sid' | 'jti' | 'sub' | 'ver' | 'iat'>, kid: string, ids: Ids = {}): boolean {
    const { s, u, j, k, a } = this.#kinds
    // Nothing is hashed for a kind of which nothing ended.
    return (s.size > 0 && sid !== undefined && s.has(ids.s ??= idOf('s', sid))) || (j.size > 0 && j.has(ids.j ??= idOf('j', jti))) || (k.size > 0 && k.has(ids.k ??= idOf('k', kid))) ||
      (u.size > 0 && (u.get(ids.u ??= idOf('u', sub))?.val ?? -Infinity) > ver) || (a.size > 0 && (a.get(EVERYTHING)?.val ?? -Infinity) > iat)
  }

  /** Only what both this clock and the database's say is over: a clock that runs ahead for a while must revive nothing. */
  #sweep (now: number): void {
    if (Math.abs(now - this.#sweptAt) < SWEEP_EVERY_SECONDS) return
    this.#sweptAt = now
    for (const map of Object.values(this.#kinds)) for (const [id, { expiresAt }] of map) if (expiresAt < now) map.delete(id)
  }
}

const encoder = new TextEncoder()
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
/** Of Node.js, Bun and Deno, found without an import that browsers and workers would stumble over. */
type Runtime = { process?: { getBuiltinModule?: (name: string) => { hash?: (algorithm: string, data: string, encoding: string) => string } | undefined } }
const native = (globalThis as Runtime).process?.getBuiltinModule?.('node:crypto')?.hash

/** Synchronous on purpose: a WebCrypto digest takes longer than a signature check for want of a thread. */
function idOf (kind: string, value: string): string {
  const text = `${kind}:${value}`
  return native ? native('sha256', text, 'base64url').slice(0, 16) : portableId(text)
}

export function portableId (text: string): string {
  const bytes = sha256(encoder.encode(text))
  let id = ''
  for (let at = 0; at < 12; at += 3) {
    const bits = bytes[at]! << 16 | bytes[at + 1]! << 8 | bytes[at + 2]!
    id += ALPHABET[bits >> 18]! + ALPHABET[bits >> 12 & 63]! + ALPHABET[bits >> 6 & 63]! + ALPHABET[bits & 63]!
  }
  return id
}
const EVERYTHING = idOf('a', '')

/** @returns null when it is no document of this feed: it is not applied in part */
export function parseDocument (value: unknown): FeedDocument | null {
  if (typeof value !== 'object' || value === null) return null
  const { v, cursor, as_of: asOf, full, e } = value as Record<string, unknown>
  if (v !== 1 || typeof cursor !== 'string' || !isNumber(asOf) || typeof full !== 'boolean' || !Array.isArray(e)) return null
  return e.every(isItem) ? { cursor, as_of: asOf, full, e } : null
}

const isItem = (item: unknown): item is Item => Array.isArray(item) && typeof item[0] === 'string' && typeof item[1] === 'string' &&
  isNumber(item[2]) && (item[3] === undefined || isNumber(item[3]))
export const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)
