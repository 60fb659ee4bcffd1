import { readEvents, type StreamEvent } from './event-stream.ts'
import type { Fetch } from './keys.ts'
import { isNumber, parseDocument, type RevocationSet } from './revocations.ts'
import { PER_REQUEST } from './runtime.ts'
import { quietTimeout, sleep } from './timing.ts'

export type FeedEvent =
  | { type: 'feed_connected', via: 'stream' | 'poll' }
  | { type: 'feed_failed', error: unknown }
  | { type: 'feed_stale', staleness: number }
  | { type: 'feed_fresh' }

const SPACING_MS = 500
const BACKOFF_MS = 5_000
const WAIT_SECONDS = 25
/** The service ticks every ten seconds. */
const SILENCE_MS = 25_000
const FIRST_EVENT_MS = 5_000
const STREAM_AGAIN_MS = 300_000
const READ_NOW_MS = 2_000
const STALE_SECONDS = 10

type Deps = { url: string, fetch: Fetch, revocations: RevocationSet, emit: (event: FeedEvent) => void }

/**
 * Follows the feed of endings: over server-sent events, or by long-polling while those do not come through. Where it stands is one
 * cursor that every node of the service understands, so it goes on wherever it is let in, and misses nothing.
 */
export class Follower {
  readonly #deps: Deps
  readonly #closing = new AbortController()
  #cursor: string | undefined
  #started = false
  #askedAt = -Infinity
  #receivedAt = -Infinity
  #stale = false
  #via: 'stream' | 'poll' | undefined
  #reading: Promise<void> | undefined
  #readNowAt = -Infinity
  #firstRead: Promise<void> | undefined

  constructor (deps: Deps) { this.#deps = deps }

  /**
   * Seconds that this copy lags behind the database at most. By this machine's clock, but never less than the time since the last fresher
   * word, which a clock that lags cannot hide.
   */
  staleness (): number {
    const { asOf } = this.#deps.revocations
    return asOf === 0 ? Infinity : Math.max(0, Date.now() / 1000 - asOf, (performance.now() - this.#receivedAt) / 1000)
  }

  start (): void {
    if (this.#started || this.#closing.signal.aborted) return
    this.#started = true
    if (PER_REQUEST) return
    this.#firstRead = this.refresh()
    this.#follow()
  }

  close (): void { this.#closing.abort() }

  /** Until the first read is over: a verifier that has just started must not take what ended before. */
  async ready (): Promise<void> { await (PER_REQUEST ? this.refresh() : this.#firstRead) }

  /** Where nothing follows the feed in the background, whoever verifies sees to it that the copy is not too old. */
  async catchUp (): Promise<void> {
    if (PER_REQUEST && this.staleness() > STALE_SECONDS) await this.refresh()
  }

  /** One read for all who need it now. Whether it helped, `staleness` says. */
  async refresh (): Promise<void> {
    if (!this.#reading && performance.now() - this.#readNowAt < SPACING_MS) return
    if (PER_REQUEST) { await this.#readNow(); return }
    this.#reading ??= this.#readNow().finally(() => { this.#reading = undefined })
    await this.#reading
  }

  async #readNow (): Promise<void> {
    await this.#read(undefined, READ_NOW_MS).catch((error: unknown) => { this.#failed(error) })
    this.#readNowAt = performance.now()
  }

  async #follow (): Promise<void> {
    const { signal } = this.#closing
    await this.#firstRead
    let failures = this.#cursor === undefined ? 1 : 0
    let streamAt = -Infinity
    while (!signal.aborted) {
      const streaming = performance.now() >= streamAt
      const wait = failures > 0 ? Math.min(BACKOFF_MS, SPACING_MS * 2 ** (failures - 1)) * (0.5 + Math.random() / 2) : 0
      await sleep(Math.max(wait, this.#askedAt + SPACING_MS - performance.now()), signal)
      if (signal.aborted) return
      this.#askedAt = performance.now()
      try {
        if (streaming) await this.#stream()
        // After a failure the first thing to know is how things stand: that answer is not to be held back.
        else await this.#read(failures > 0 ? undefined : WAIT_SECONDS, (WAIT_SECONDS + 10) * 1000, 'poll')
        failures = 0
        // A node that goes ends all its streams at once; its readers need not come back at once.
        if (streaming) await sleep(Math.random() * SPACING_MS, signal)
      } catch (error) {
        if (signal.aborted) return
        // What broke after it had worked is the first failure, however often that happens.
        failures = this.#via ? 1 : failures + 1
        // A stream that gave nothing may be held up between here and there, where a poll gets through. If that fails too, nothing does.
        streamAt = streaming && this.#via !== 'stream' ? performance.now() + STREAM_AGAIN_MS : -Infinity
        this.#via = undefined
        this.#failed(error)
      }
    }
  }

  /** Returns when the service ends the stream. @throws when it gives nothing, or breaks */
  async #stream (): Promise<void> {
    const silence = new AbortController()
    let stop = quietTimeout(() => silence.abort(new Error('the stream is silent')), FIRST_EVENT_MS)
    const alive = (ms = SILENCE_MS) => { stop(); stop = quietTimeout(() => silence.abort(new Error('the stream is silent')), ms) }
    try {
      const answer = await this.#ask(`${this.#deps.url}/stream`, silence.signal, { accept: 'text/event-stream', ...(this.#cursor !== undefined && { 'last-event-id': this.#cursor }) })
      if (!answer.body || !answer.headers.get('content-type')?.startsWith('text/event-stream')) throw new Error('the feed answered no stream')
      this.#via = undefined
      const openedAt = performance.now()
      for await (const event of readEvents(answer.body, () => alive())) {
        this.#receive(event)
        // A node that has lost its database goes on saying what it last knew: another one may know more.
        if (performance.now() - Math.max(openedAt, this.#receivedAt) > FIRST_EVENT_MS) throw new Error('the stream brings nothing fresher')
      }
      if (this.#via !== 'stream') throw new Error('the stream ended before it began')
    } finally { stop() }
  }

  #receive ({ id, event, data }: StreamEvent): void {
    const value: unknown = JSON.parse(data)
    if (event === 'tick') {
      const { as_of: asOf } = value as { as_of: unknown }
      if (isNumber(asOf)) this.#apply({ cursor: id, as_of: asOf, full: false, e: [] }, 'stream')
    } else if (event === 'full' || event === 'rev') this.#take(value, 'stream')
  }

  async #read (waitSeconds: number | undefined, timeoutMs: number, via?: 'poll'): Promise<void> {
    const query = this.#cursor === undefined ? '' : `?since=${encodeURIComponent(this.#cursor)}${waitSeconds === undefined ? '' : `&wait=${waitSeconds}`}`
    const answer = await this.#ask(`${this.#deps.url}${query}`, AbortSignal.timeout(timeoutMs), { accept: 'application/json' })
    this.#take(await answer.json(), via)
  }

  async #ask (url: string, signal: AbortSignal, headers: Record<string, string>): Promise<Response> {
    const answer = await this.#deps.fetch(url, { headers, redirect: 'manual', signal: PER_REQUEST ? signal : AbortSignal.any([signal, this.#closing.signal]) })
    if (answer.status === 200) return answer
    await answer.body?.cancel().catch(() => {})
    if (answer.status === 400) this.#cursor = undefined // not one that it understands: from the start
    throw new Error(`the feed answered ${answer.status}`)
  }

  #take (value: unknown, via?: 'stream' | 'poll'): void {
    const document = parseDocument(value)
    if (!document) throw new Error('the feed answered no document')
    this.#apply(document, via)
  }

  #apply (document: { cursor: string, as_of: number, full: boolean, e: [string, string, number, number?][] }, via?: 'stream' | 'poll'): void {
    const { revocations, emit } = this.#deps
    if (document.as_of > revocations.asOf) this.#receivedAt = performance.now()
    revocations.apply(document)
    if (document.cursor !== '') this.#cursor = document.cursor
    if (via && this.#via !== via) {
      this.#via = via
      emit({ type: 'feed_connected', via })
    }
    this.#look()
  }

  #failed (error: unknown): void {
    if (this.#closing.signal.aborted) return
    this.#deps.emit({ type: 'feed_failed', error })
    this.#look()
  }

  #look (): void {
    const staleness = this.staleness()
    const stale = staleness > STALE_SECONDS
    if (stale === this.#stale) return
    this.#stale = stale
    this.#deps.emit(stale ? { type: 'feed_stale', staleness } : { type: 'feed_fresh' })
  }
}
