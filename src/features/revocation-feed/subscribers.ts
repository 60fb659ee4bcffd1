import type { ServerResponse } from 'node:http'
import { deltaDocument, emptyDocument, fullDocument, parseCursor, type Cursor, type FeedDocument } from '../../core/revocations/feed.ts'
import type { Endings } from '../../core/revocations/endings.ts'
import { AppError } from '../../errors.ts'
import { settleCursor } from './read.ts'

const PER_PROCESS = 2_000
const PER_ADDRESS = 20
const TICK_MS = 10_000
/** A reader that lets this much pile up, beside the largest document it was sent, is cut off: it comes back with its cursor and catches up, on any node. */
const MAX_BUFFERED_BYTES = 262_144
const MINUTE_MS = 60_000

type Subscriber = { raw: ServerResponse, address: string, cursor: Cursor, largest: number }

/**
 * The open streams of this process. One document is made for all who stand at the same cursor; nothing is queued beyond what
 * a socket buffers, so that slow or many readers cost verification nothing.
 */
export class Subscribers {
  readonly #revocations: Endings
  readonly #leaving: AbortSignal
  readonly #perAddress: number
  readonly #open = new Set<Subscriber>()
  readonly #stopListening: () => void
  readonly #ticking: NodeJS.Timeout

  constructor ({ revocations, config }: { revocations: Endings, config: { rateLimitScale: number } }, leaving: AbortSignal) {
    this.#revocations = revocations
    this.#leaving = leaving
    this.#perAddress = PER_ADDRESS * config.rateLimitScale
    this.#stopListening = revocations.onRead(changed => { if (changed) this.#publish() })
    this.#ticking = setInterval(() => this.#tick(), TICK_MS).unref()
    leaving.addEventListener('abort', () => this.#endAll())
  }

  get size (): number { return this.#open.size }

  close (): void {
    this.#stopListening()
    clearInterval(this.#ticking)
    this.#endAll()
  }

  #endAll (): void { for (const { raw } of this.#open) raw.end() }

  /**
   * @param open takes the answer over, once nothing can be refused any more
   * @throws too_many_requests, invalid_cursor
   */
  async add (open: () => ServerResponse, address: string, lastEventId: string | undefined): Promise<void> {
    const known = lastEventId === undefined ? null : await settleCursor({ revocations: this.#revocations }, lastEventId)
    // From here on without a pause: many who wait for the same read would all be let in.
    const ofAddress = [...this.#open].filter(subscriber => subscriber.address === address).length
    if (this.#open.size >= PER_PROCESS || ofAddress >= this.#perAddress) throw new AppError('too_many_requests', { retryAfterSeconds: 10 })
    const { state } = this.#revocations
    const news = known ? deltaDocument(state, known) : fullDocument(state)
    const first = news ?? emptyDocument(state)

    const raw = open()
    if (raw.destroyed) return // the client has hung up already: no event would ever take it off the list
    const subscriber: Subscriber = { raw, address, cursor: parseCursor(first.cursor)!, largest: 0 }
    raw.write('retry: 1000\n\n')
    this.#write(subscriber, news ? eventOf(news) : tickOf(first))
    this.#open.add(subscriber)
    // At a random moment, so that the readers of a node do not all come back at once.
    const lifetime = setTimeout(() => raw.end(), (5 + Math.random() * 10) * MINUTE_MS).unref()
    raw.on('error', () => {})
    raw.once('close', () => { clearTimeout(lifetime); this.#open.delete(subscriber) })
    if (this.#leaving.aborted) raw.end()
  }

  #publish (): void {
    const { state } = this.#revocations
    const made = new Map<string, { text: string, cursor: Cursor } | null>()
    for (const subscriber of this.#open) {
      const { xid, print } = subscriber.cursor
      const at = `${xid}.${print}`
      let event = made.get(at)
      if (event === undefined) {
        const document = deltaDocument(state, subscriber.cursor)
        event = document && { text: eventOf(document), cursor: parseCursor(document.cursor)! }
        made.set(at, event)
      }
      if (!event) continue
      subscriber.cursor = event.cursor
      this.#write(subscriber, event.text)
    }
  }

  /** How fresh the feed is, and a cursor that has moved on, so that a reader that comes back need not be sent old entries. */
  #tick (): void {
    if (this.#open.size === 0) return
    const document = emptyDocument(this.#revocations.state)
    const text = tickOf(document)
    const cursor = parseCursor(document.cursor)!
    this.#publish()
    for (const subscriber of this.#open) {
      subscriber.cursor = cursor
      this.#write(subscriber, text)
    }
  }

  #write (subscriber: Subscriber, text: string): void {
    const { raw, largest } = subscriber
    if (raw.writableLength > MAX_BUFFERED_BYTES + largest) { raw.destroy(); return }
    subscriber.largest = Math.max(largest, text.length)
    raw.write(text)
  }
}

const eventOf = (document: FeedDocument): string =>
  `id: ${document.cursor}\nevent: ${document.full ? 'full' : 'rev'}\ndata: ${JSON.stringify(document)}\n\n`

const tickOf = (document: FeedDocument): string => `id: ${document.cursor}\nevent: tick\ndata: ${JSON.stringify({ as_of: document.as_of })}\n\n`
