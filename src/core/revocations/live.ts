import { EventEmitter } from 'node:events'
import type { Db } from '../../db/client.ts'
import { revocationId, type RevocationKind } from '../../lib/digest.ts'
import type { Log } from '../../log.ts'
import { startLoop } from '../loop.ts'
import type { FeedState } from './feed.ts'
import { fingerprint, FeedLog } from './feed-log.ts'
import { readDigest, readFeed } from './store.ts'

const POLL_EVERY_MS = 500
const RETRY_AFTER_MS = 1_000
const RECONCILE_EVERY_MS = 60_000
const FROM_THE_START = '0'
const SWEEP_EVERY_SECONDS = 1
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
  #cursor = FROM_THE_START
  #asOf = 0
  #readAt = -Infinity
  #sweptAt = 0
  #polling: Promise<void> | undefined
  #loops: { stop: () => void }[] = []

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
    this.#loops = [
      this.#repeat(POLL_EVERY_MS, () => this.poll()),
      this.#repeat(RECONCILE_EVERY_MS, () => this.reconcile()),
    ]
  }

  stop (): void { for (const loop of this.#loops) loop.stop() }

  #repeat (everyMs: number, work: () => Promise<void>): { stop: () => void } {
    return startLoop(everyMs, () => work().then(() => everyMs, error => {
      this.#deps.log.warn({ err: (error as Error).message }, 'the revocation feed could not be read')
      return Math.min(everyMs, RETRY_AFTER_MS)
    }))
  }

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
    this.#raise(entryKey(kind, revocationId(kind, value)), { val, expiresAt: this.#asOf + LONGEST_RETENTION_SECONDS })
  }

  /** Reads what is new. Overlapping calls share a run. */
  poll (): Promise<void> {
    this.#polling ??= this.#read().finally(() => { this.#polling = undefined })
    return this.#polling
  }

  /**
   * Anti-entropy: holds this copy against the table, and reads everything anew when they differ. Nothing is known to make
   * them differ; a backup restored under a running node would.
   */
  async reconcile (): Promise<void> {
    const xmin = this.#cursor
    const theirs = await readDigest(this.#deps.db, xmin)
    if (this.#cursor !== xmin) return // a poll came between; the next minute tells
    const ours = this.#log.all().filter(entry => entry.xid < BigInt(xmin) && entry.expiresAt > theirs.now)
    if (ours.length === theirs.count && fingerprint(ours) === theirs.print) return
    this.#deps.log.warn({ ours: ours.length, theirs: theirs.count }, 'the copy of the revocation feed differed from the table')
    // A poll that is under way has asked for what is new; joined now, it would pass that off as everything.
    while (this.#polling) await this.#polling.catch(() => {})
    this.#cursor = FROM_THE_START
    await this.poll()
  }

  async #read (): Promise<void> {
    let page = await readFeed(this.#deps.db, this.#cursor)
    let changed = false
    let keyRevoked = false
    if (this.#cursor === FROM_THE_START) {
      this.#entries = new Map()
      this.#log = new FeedLog()
      changed = true
    }
    // The transaction ids went backwards: another timeline (a restore, a failover). What we hold may never have happened there.
    if (BigInt(page.next) < BigInt(this.#cursor)) {
      page = await readFeed(this.#deps.db, FROM_THE_START)
      this.#entries = new Map()
      this.#log = new FeedLog()
      changed = true
    }
    for (const row of page.rows) {
      if (!this.#log.add(row)) continue
      changed = true
      keyRevoked ||= row.kind === 'k'
      this.#raise(entryKey(row.kind, row.id), { val: row.val, expiresAt: row.expires_at })
    }
    if (page.asOf - this.#sweptAt > SWEEP_EVERY_SECONDS) this.#sweep(page.asOf)
    this.#cursor = page.next
    this.#asOf = page.asOf
    this.#readAt = performance.now()
    this.#events.emit('read', changed)
    if (keyRevoked) this.#events.emit('key')
  }

  /** Only ever up: two endings of one user may be heard of in either order. */
  #raise (key: string, { val, expiresAt }: Entry): void {
    const known = this.#entries.get(key) ?? { val, expiresAt }
    this.#entries.set(key, { val: Math.max(val, known.val), expiresAt: Math.max(expiresAt, known.expiresAt) })
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
