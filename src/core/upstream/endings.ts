import { EventEmitter } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { startLoop } from '../loop.ts'
import { EndingsCopy } from '../revocations/copy.ts'
import type { Endings, Revocable } from '../revocations/endings.ts'
import type { FeedState } from '../revocations/feed.ts'
import { parseRelayDocument, type RelayDocument } from './document.ts'
import { UpstreamError, type Upstream } from './upstream.ts'

/** Short, because an answer without news carries `as_of`: what this copy can say of its freshness. */
const WAIT_SECONDS = 2
const SPACING_MS = 500
const BACKOFF_MS = 5_000
const READ_NOW_MS = 2_000
const READ_NOW_TRIES = 4
const LARGEST_BYTES = 134_217_728

type Deps = {
  upstream: Upstream, log: Log
  /** Rejects unless the upstream speaks for our issuer. Asked before another feed than the known one is believed. */
  confirmIssuer: () => Promise<void>
}

/**
 * What has ended, as an upstream's feed tells it, and the same feed to pass on: entries keep their transactions, so that a
 * cursor from here is good at the upstream's nodes and at other relays, and theirs here. `as_of` is passed on as it came: a
 * relay whose upstream is dead must not look fresh.
 */
export class UpstreamEndings implements Endings {
  readonly #deps: Deps
  readonly #events = new EventEmitter<{ read: [changed: boolean], key: [] }>().setMaxListeners(0)
  readonly #closing = new AbortController()
  readonly #copy = new EndingsCopy()
  #feed: { feed: string, ttlSeconds: number } | undefined
  #xmin = 0n
  #anewFrom = 0n
  #asOf = 0
  /** What the upstream gave us last, to go on from there. Not made from the copy: where the two forget an entry a moment apart, it would never match. */
  #cursor: string | undefined
  /** Counts the times that the copy was begun anew: an answer to a question from before is of no use. */
  #generation = 0
  #readAt = -Infinity
  #askedAt = -Infinity
  #failures = 0
  #readingNow: Promise<void> | undefined
  #loop: { stop: () => void } | undefined

  constructor (deps: Deps) { this.#deps = deps }

  get ready (): boolean { return this.#feed !== undefined }
  get asOf (): number { return this.#asOf }
  get readAt (): number { return this.#readAt }
  get size (): number { return this.#copy.size }
  get revision (): number { return this.#copy.revision }

  /** @throws stale_revocations before the first read */
  get state (): FeedState {
    if (!this.#feed) throw new AppError('stale_revocations', { retryAfterSeconds: 2 })
    return { ...this.#feed, xmin: this.#xmin, anewFrom: this.#anewFrom, asOf: this.#asOf, log: this.#copy.log }
  }

  /** @throws stale_revocations before the first read */
  isRevoked (token: Revocable, kid: string): boolean {
    if (!this.#feed) throw new AppError('stale_revocations', { retryAfterSeconds: 2 })
    return this.#copy.isRevoked(token, kid)
  }

  isKeyRevoked (kid: string): boolean { return this.#copy.has('k', kid) }

  onRead (listener: (changed: boolean) => void): () => void {
    this.#events.on('read', listener)
    return () => { this.#events.off('read', listener) }
  }

  onKeyRevoked (listener: () => void): void { this.#events.on('key', listener) }

  start (): void { this.#loop = startLoop(0, async () => await this.#follow()) }

  stop (): void {
    this.#loop?.stop()
    this.#closing.abort()
  }

  async poll (xmin = 0n): Promise<void> {
    for (let attempt = 0; attempt < READ_NOW_TRIES; attempt++) {
      await (this.#readingNow ??= this.#readNow().finally(() => { this.#readingNow = undefined }))
      if (this.#xmin >= xmin) return
    }
  }

  async #readNow (): Promise<void> {
    await sleep(Math.max(0, this.#askedAt + SPACING_MS - performance.now()))
    await this.#read(0, READ_NOW_MS)
  }

  /** One long poll. @returns how long until the next */
  async #follow (): Promise<number> {
    try {
      // After a failure the first thing to know is how things stand: that answer is not to be held back.
      await this.#read(this.#failures > 0 ? 0 : WAIT_SECONDS, (WAIT_SECONDS + 10) * 1000)
      if (this.#failures > 0) this.#deps.log.info({ as_of: this.#asOf }, 'the upstream is followed again')
      this.#failures = 0
      return Math.max(1, this.#askedAt + SPACING_MS * 1.25 - performance.now())
    } catch (error) {
      if (error instanceof UpstreamError && error.status === 400) this.#cursor = undefined // not one that it understands: from the start
      if (!this.#closing.signal.aborted) this.#deps.log.warn({ err: (error as Error).message }, 'the feed of the upstream could not be read')
      return Math.min(BACKOFF_MS, SPACING_MS * 2 ** this.#failures++)
    }
  }

  async #read (waitSeconds: number, timeoutMs: number): Promise<void> {
    if (!this.#feed) await this.#deps.confirmIssuer()
    const generation = this.#generation
    this.#askedAt = performance.now()
    const query = this.#cursor === undefined ? '' : `&since=${this.#cursor}&wait=${waitSeconds}`
    const document = parseRelayDocument(await this.#deps.upstream.json(`/v1/revocations?xid=true${query}`, { timeoutMs, maxBytes: LARGEST_BYTES, signal: this.#closing.signal }))
    if (this.#feed && document.feed !== this.#feed.feed) await this.#deps.confirmIssuer()
    if (generation === this.#generation) this.#apply(document)
  }

  #apply (document: RelayDocument): void {
    const known = this.#feed?.feed === document.feed
    // A node that lags may answer from before what is known here. Its entries are true all the same; where it stands is not where we do.
    const older = known && document.asOf < this.#asOf
    const anew = document.full && !older
    if (!known && !document.full) {
      this.#cursor = undefined
      throw new UpstreamError('it went on with another feed')
    }
    if (anew) {
      this.#copy.clear()
      this.#generation++
      // Who followed this relay meanwhile may lack what it lacked.
      if (this.ready) this.#anewFrom = document.cursor.xid
    }
    const added = document.rows.filter(row => this.#copy.add(row, document.asOf))
    if (!older) {
      this.#feed = { feed: document.feed, ttlSeconds: document.ttlSeconds }
      this.#xmin = anew || document.cursor.xid > this.#xmin ? document.cursor.xid : this.#xmin
      this.#cursor = document.cursorText
      this.#asOf = document.asOf
      this.#copy.sweep(document.asOf)
      this.#readAt = performance.now()
    }
    this.#events.emit('read', anew || added.length > 0)
    if (added.some(({ kind }) => kind === 'k')) this.#events.emit('key')
    if (older && document.full) throw new UpstreamError('it answered from before what is known here')
  }
}
