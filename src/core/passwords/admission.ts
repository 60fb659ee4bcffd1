import { availableParallelism } from 'node:os'
import { AppError } from '../../errors.ts'
import { Histogram } from '../../lib/histogram.ts'
import { Lately } from './lately.ts'

/**
 * How many hashes may run at once in one process: one core is left for everything else, and the workers of a machine share
 * what remains. Each has at least one, so that as many workers as cores run one hash more than a single process would.
 */
export const hashConcurrency = (workers: number): number => Math.max(1, Math.floor((availableParallelism() - 1) / workers))
const MAX_WAIT_MS = 2_000
const MAX_PER_BUCKET = 8
const WAIT_SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2]
const HASH_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 1]

/** Of those that wait, how many are looked at for one that has had more than who comes: all there are, on one core and on two. */
const LOOKED_AT = 200

type Job = { start: () => void, refuse: (error: Error) => void }
const busy = () => new AppError('login_busy', { retryAfterSeconds: 1 + Math.floor(Math.random() * 5) })

/**
 * Lets so many run at once and so many wait as can be done in two seconds, taking turns between addresses, so that
 * one flooding address delays itself and not the others. The rest is refused at once, before it costs anything.
 */
export class Admission {
  readonly #concurrency: number
  readonly #mayWait: () => number
  /** Waiting jobs by address; the Map's order is whose turn it is. */
  readonly #buckets = new Map<string, Job[]>()
  readonly #lately = new Lately()
  #running = 0
  #waiting = 0
  /** Moving average of what one takes. */
  #ms = 20
  /** For the metrics, in seconds: how long those waited that had a turn, and how long that took. */
  readonly waited = new Histogram(WAIT_SECONDS)
  readonly took = new Histogram(HASH_SECONDS)

  /** @param mayWait how many may wait, where it is not for this one to say */
  constructor (concurrency = hashConcurrency(1), mayWait?: () => number) {
    this.#concurrency = concurrency
    this.#mayWait = mayWait ?? (() => this.capacity)
  }

  get waiting (): number { return this.#waiting }
  get running (): number { return this.#running }
  /** What is done in two seconds. */
  get capacity (): number { return Math.ceil(this.#concurrency * MAX_WAIT_MS / this.#ms) }

  /**
   * @param bucket whom it is counted against: an address
   * @param signal a client that hung up gives its place in the queue back; what runs keeps its permit to the end
   * @throws login_busy when the queue, or this address's share of it, is full; also later, when its place is needed for an address that has had less
   */
  async admit<T> (bucket: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted()
    const askedAt = performance.now()
    if (this.#running < this.#concurrency) this.#running++
    else await this.#turn(bucket, signal)
    this.#lately.note(bucket)
    const startedAt = performance.now()
    this.waited.observe((startedAt - askedAt) / 1000)
    try { return await work() } finally {
      const ms = performance.now() - startedAt
      this.took.observe(ms / 1000)
      this.#ms = 0.9 * this.#ms + 0.1 * ms
      const next = this.#next()
      if (next) next.start()
      else this.#running--
    }
  }

  /** The permit of whoever ends goes to who has the next turn. */
  async #turn (bucket: string, signal: AbortSignal | undefined): Promise<void> {
    const queue = this.#buckets.get(bucket) ?? []
    if (queue.length >= MAX_PER_BUCKET || (this.#waiting >= this.#mayWait() && !this.#makeRoomFor(bucket, queue))) throw busy()
    await new Promise<void>((resolve, reject) => {
      const job: Job = { start: resolve, refuse: reject }
      queue.push(job)
      this.#buckets.set(bucket, queue)
      this.#waiting++
      signal?.addEventListener('abort', () => {
        const position = queue.indexOf(job)
        if (position < 0) return
        queue.splice(position, 1)
        this.#waiting--
        reject(signal.reason)
      }, { once: true })
    })
  }

  /**
   * When many addresses flood, each of them waits with one or two, and whoever else comes would find every place taken. So who has had more turns lately, or waits for
   * more, gives up its last place to one that has had clearly less. Only what was given counts: to come back after a refusal is nobody's loss.
   */
  #makeRoomFor (bucket: string, queue: readonly Job[]): boolean {
    const least = 2 * (this.#lately.count(bucket) + queue.length) + 2
    let most = least - 1
    let longest: Job[] | undefined
    let seen = 0
    for (const [other, its] of this.#buckets) {
      if (++seen > LOOKED_AT) break
      const had = its.length === 0 ? 0 : this.#lately.count(other) + its.length
      if (had > most) [most, longest] = [had, its]
    }
    if (!longest) return false
    longest.pop()!.refuse(busy())
    this.#waiting--
    return true
  }

  /** Round robin: the first address gives one job and goes to the end of the line. */
  #next (): Job | undefined {
    for (const [bucket, queue] of this.#buckets) {
      this.#buckets.delete(bucket)
      const job = queue.shift()
      if (queue.length > 0) this.#buckets.set(bucket, queue)
      if (!job) continue
      this.#waiting--
      return job
    }
    return undefined
  }
}
