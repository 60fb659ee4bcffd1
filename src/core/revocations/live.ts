import { EventEmitter } from 'node:events'
import type { Db } from '../../db/client.ts'
import { revocationId, type RevocationKind } from '../../lib/digest.ts'
import type { Log } from '../../log.ts'
import { startLoop } from '../loop.ts'
import type { FeedState } from './feed.ts'
import { FeedLog } from './feed-log.ts'
import { readFeed } from './store.ts'

const POLL_EVERY_MS = 500
const RETRY_AFTER_MS = 1_000
const SWEEP_EVERY_SECONDS = 10
/** The longest access token that any configuration allows, and 120 s. */
const LONGEST_RETENTION_SECONDS = 3_720

/** The parts of an access token that an ending can name. */
export type Revocable = { sid?: string, jti: string, sub: string, ver?: number, iat: number }

type Entry = { val: number, expiresAt: number }

/** What has ended, as a read-only copy in memory that follows the table by half a second. Asking it opens no socket. */
export class Revocations {
  readonly #deps: { db: Db, log: Log }
  readonly #events = new EventEmitter<{ read: [changed: boolean], key: [] }>().setMaxListeners(0)
  /** For verification: what a token is looked up in. */
  #entries = new Map<string, Entry>()
  /** For the feed: the same endings in the order of their transactions. */
  #log = new FeedLog()
  #feed = { feed: '', ttlSeconds: 0 }
  #cursor = '0'
  #asOf = 0
  #readAt = -Infinity
  #sweptAt = 0
  #polling: Promise<void> | undefined
  #loop: { stop: () => void } | undefined

  constructor (deps: { db: Db, log: Log }) { this.#deps = deps }

  /** Database time of the newest snapshot, in seconds: how stale an answer is. */
  get asOf (): number { return this.#asOf }
  /** When the table was last read, on this process's monotonic clock, in milliseconds. */
  get readAt (): number { return this.#readAt }
  get size (): number { return this.#entries.size }

  /** The feed as it can be served, without a query. */
  get state (): FeedState { return { ...this.#feed, xmin: BigInt(this.#cursor), asOf: this.#asOf, log: this.#log } }

  /** @param feed the id of this installation's feed, and how long an entry lives at most */
  async start (feed: { feed: string, ttlSeconds: number }): Promise<void> {
    this.#feed = feed
    await this.poll()
    this.#loop = startLoop(POLL_EVERY_MS, () => this.poll().then(() => POLL_EVERY_MS, error => {
      this.#deps.log.warn({ err: (error as Error).message }, 'the revocation feed could not be read')
      return RETRY_AFTER_MS
    }))
  }

  stop (): void { this.#loop?.stop() }

  /** Calls back after each read of the table, and says whether it brought anything. @returns how to stop that */
  onRead (listener: (changed: boolean) => void): () => void {
    this.#events.on('read', listener)
    return () => { this.#events.off('read', listener) }
  }

  /** Calls back when a key was revoked anywhere, so that this node stops signing with it. */
  onKeyRevoked (listener: () => void): void { this.#events.on('key', listener) }

  isRevoked (token: Revocable, kid: string): boolean {
    if (this.#entries.size === 0) return false
    return (token.sid !== undefined && this.#has('s', token.sid)) || this.#has('j', token.jti) || this.#has('k', kid) ||
      this.#value('u', token.sub) > (token.ver ?? Infinity) || this.#value('a', '') > token.iat
  }

  /** Whoever has just ended something says so here: this node then knows before its next poll, at no statement more. */
  note (kind: RevocationKind, value: string, val = 0): void {
    this.#entries.set(entryKey(kind, revocationId(kind, value)), { val, expiresAt: this.#asOf + LONGEST_RETENTION_SECONDS })
  }

  /** Reads what is new. Overlapping calls share a run. */
  poll (): Promise<void> {
    this.#polling ??= this.#read().finally(() => { this.#polling = undefined })
    return this.#polling
  }

  async #read (): Promise<void> {
    let page = await readFeed(this.#deps.db, this.#cursor)
    let changed = false
    let keyRevoked = false
    // The transaction ids went backwards: another timeline (a restore, a failover). What we hold may never have happened there.
    if (BigInt(page.next) < BigInt(this.#cursor)) {
      page = await readFeed(this.#deps.db, '0')
      this.#entries = new Map()
      this.#log = new FeedLog()
      changed = true
    }
    for (const row of page.rows) {
      if (!this.#log.add(row)) continue
      changed = true
      keyRevoked ||= row.kind === 'k'
      const { val, expires_at: expiresAt } = row
      const key = entryKey(row.kind, row.id)
      const known = this.#entries.get(key) ?? { val, expiresAt }
      this.#entries.set(key, { val: Math.max(val, known.val), expiresAt: Math.max(expiresAt, known.expiresAt) })
    }
    if (page.asOf - this.#sweptAt > SWEEP_EVERY_SECONDS) this.#sweep(page.asOf)
    this.#cursor = page.next
    this.#asOf = page.asOf
    this.#readAt = performance.now()
    this.#events.emit('read', changed)
    if (keyRevoked) this.#events.emit('key')
  }

  #sweep (now: number): void {
    for (const [key, { expiresAt }] of this.#entries) if (expiresAt < now) this.#entries.delete(key)
    this.#log.expire(now)
    this.#sweptAt = now
  }

  #has (kind: RevocationKind, value: string): boolean { return this.#entries.has(entryKey(kind, revocationId(kind, value))) }
  #value (kind: RevocationKind, value: string): number { return this.#entries.get(entryKey(kind, revocationId(kind, value)))?.val ?? -Infinity }
}

const entryKey = (kind: RevocationKind, id: Uint8Array): string => kind + Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('base64url')
