import { EventEmitter } from 'node:events'
import type { Db } from '../../db/client.ts'
import type { RevocationKind } from '../../lib/digest.ts'
import type { Log } from '../../log.ts'
import { startLoop } from '../loop.ts'
import { EndingsCopy } from './copy.ts'
import type { Endings, Revocable } from './endings.ts'
import type { FeedState } from './feed.ts'
import { fingerprint } from './feed-log.ts'
import { feedTables, type FeedCursor, type FeedTable } from './store.ts'

const POLL_EVERY_MS = 500
const SAME_ERROR_AGAIN_MS = 60_000
const RETRY_AFTER_MS = 1_000
const RECONCILE_EVERY_MS = 60_000
const FROM_THE_START = '0'
/** The longest access token that any configuration allows, and 120 s. */
const LONGEST_RETENTION_SECONDS = 3_720

/** What has ended, as a read-only copy in memory that follows the table by half a second. Asking it opens no socket. */
export class Revocations implements Endings {
  readonly #deps: { db: Db, log: Log }
  readonly #table: FeedTable
  readonly #events = new EventEmitter<{ read: [changed: boolean], key: [] }>().setMaxListeners(0)
  readonly #copy = new EndingsCopy()
  #feed = { feed: '', ttlSeconds: 0 }
  #cursor = FROM_THE_START
  #anewFrom = 0n
  #asOf = 0
  #readAt = -Infinity
  #polling: Promise<void> | undefined
  #loops: { stop: () => void }[] = []

  constructor (deps: { db: Db, log: Log, feedCursor?: FeedCursor }) {
    this.#deps = deps
    this.#table = feedTables[deps.feedCursor ?? 'xid']
  }

  get ready (): boolean { return this.#asOf > 0 }
  get asOf (): number { return this.#asOf }
  get readAt (): number { return this.#readAt }
  get size (): number { return this.#copy.size }
  get revision (): number { return this.#copy.revision }
  get state (): FeedState { return { ...this.#feed, xmin: BigInt(this.#cursor), anewFrom: this.#anewFrom, asOf: this.#asOf, log: this.#copy.log } }

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
    let saidAt = -Infinity
    return startLoop(everyMs, () => work().then(() => {
      saidAt = -Infinity
      return everyMs
    }, error => {
      // While the database is away every poll fails alike.
      if (performance.now() - saidAt >= SAME_ERROR_AGAIN_MS) {
        this.#deps.log.warn({ err: (error as Error).message }, 'the revocation feed could not be read')
        saidAt = performance.now()
      }
      return Math.min(everyMs, RETRY_AFTER_MS)
    }))
  }

  onRead (listener: (changed: boolean) => void): () => void {
    this.#events.on('read', listener)
    return () => { this.#events.off('read', listener) }
  }

  /** Calls back when a key was revoked anywhere, so that this node stops signing with it. */
  onKeyRevoked (listener: () => void): void { this.#events.on('key', listener) }

  isRevoked (token: Revocable, kid: string): boolean { return this.#copy.isRevoked(token, kid) }

  /** Whoever has just ended something says so here: this node then knows before its next poll, at no statement more. */
  note (kind: RevocationKind, value: string, val = 0): void {
    this.#copy.note(kind, value, { val, expiresAt: this.#asOf + LONGEST_RETENTION_SECONDS })
  }

  poll (): Promise<void> {
    this.#polling ??= this.#read().finally(() => { this.#polling = undefined })
    return this.#polling
  }

  /**
   * Anti-entropy: holds this copy against the table, and reads everything anew when they differ. A backup restored under a
   * running node would make them differ, and with FEED_CURSOR=time an entry that became visible later than the overlap allows.
   */
  async reconcile (): Promise<void> {
    const xmin = this.#cursor
    const theirs = await this.#table.digest(this.#deps.db, xmin)
    if (this.#cursor !== xmin) return // a poll came between; the next minute tells
    const ours = this.#copy.log.all().filter(entry => entry.xid < BigInt(xmin) && entry.expiresAt > theirs.now)
    if (ours.length === theirs.count && fingerprint(ours) === theirs.print) return
    this.#deps.log.warn({ ours: ours.length, theirs: theirs.count }, 'the copy of the revocation feed differed from the table')
    // A poll that is under way has asked for what is new; joined now, it would pass that off as everything.
    while (this.#polling) await this.#polling.catch(() => {})
    this.#cursor = FROM_THE_START
    await this.poll()
  }

  async #read (): Promise<void> {
    let page = await this.#table.read(this.#deps.db, this.#cursor)
    let anew = this.#cursor === FROM_THE_START
    let keyRevoked = false
    // The transaction ids went backwards: another timeline (a restore, a failover). What we hold may never have happened there.
    if (BigInt(page.next) < BigInt(this.#cursor)) {
      page = await this.#table.read(this.#deps.db, FROM_THE_START)
      anew = true
    }
    if (anew) {
      this.#copy.clear()
      // Who followed this node meanwhile may lack what it lacked.
      if (this.ready) this.#anewFrom = BigInt(page.next)
    }
    let changed = anew
    for (const row of page.rows) {
      if (!this.#copy.add(row, page.asOf)) continue
      changed = true
      keyRevoked ||= row.kind === 'k'
    }
    this.#copy.sweep(page.asOf)
    this.#cursor = page.next
    this.#asOf = page.asOf
    this.#readAt = performance.now()
    this.#events.emit('read', changed)
    if (keyRevoked) this.#events.emit('key')
  }
}
