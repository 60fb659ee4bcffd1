import { availableParallelism } from 'node:os'
import { AppError } from '../../errors.ts'
import { Histogram } from '../../lib/histogram.ts'

/**
 * How many hashes may run at once in one process: one core is left for everything else, and the workers of a machine share
 * what remains. Each has at least one, so that as many workers as cores run one hash more than a single process would.
 */
export const hashConcurrency = (workers: number): number => Math.max(1, Math.floor((availableParallelism() - 1) / workers))
const MAX_WAIT_MS = 2_000
const MAX_PER_BUCKET = 8
const WAIT_SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2]
const HASH_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 1]

type Job = { run: () => Promise<void>, refuse: (error: Error) => void }
const busy = () => new AppError('login_busy', { retryAfterSeconds: 1 + Math.floor(Math.random() * 5) })

/**
 * Lets so many hashes run at once and so many wait as can be done in two seconds, taking turns between addresses, so that
 * one flooding address delays itself and not the others. The rest is refused at once, before it costs anything.
 */
export class Admission {
  readonly #concurrency: number
  /** Waiting jobs by address; the Map's order is whose turn it is. */
  readonly #buckets = new Map<string, Job[]>()
  #running = 0
  #waiting = 0
  /** Moving average of what one hash takes. */
  #hashMs = 20
  /** For the metrics, in seconds: how long those waited that had a turn, and how long that took. */
  readonly waited = new Histogram(WAIT_SECONDS)
  readonly took = new Histogram(HASH_SECONDS)

  constructor (concurrency = hashConcurrency(1)) { this.#concurrency = concurrency }

  get waiting (): number { return this.#waiting }
  get running (): number { return this.#running }

  /**
   * @param bucket whom the job is counted against: an address
   * @param signal a client that hung up gives its place in the queue back; a hash that runs keeps its permit to the end
   * @throws login_busy when the queue, or this address's share of it, is full; also later, when its place is needed for an address that has less
   */
  async admit<T> (bucket: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted()
    const queue = this.#buckets.get(bucket) ?? []
    if (this.#running >= this.#concurrency) {
      if (queue.length >= MAX_PER_BUCKET || (this.#waiting >= this.#capacity() && !this.#makeRoomFor(queue))) throw busy()
    }
    return await new Promise<T>((resolve, reject) => {
      const askedAt = performance.now()
      const job: Job = {
        run: () => {
          this.waited.observe((performance.now() - askedAt) / 1000)
          return work().then(resolve, reject)
        },
        refuse: reject,
      }
      if (this.#running < this.#concurrency) { this.#start(job); return }
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

  #capacity (): number { return Math.ceil(this.#concurrency * MAX_WAIT_MS / this.#hashMs) }

  /** Where hashes are slow, few may wait, and one address could be all of them: it gives up its last place to one that has less. */
  #makeRoomFor (queue: readonly Job[]): boolean {
    const longest = [...this.#buckets.values()].reduce((one, other) => other.length > one.length ? other : one, [])
    if (longest.length < queue.length + 2) return false
    longest.pop()!.refuse(busy())
    this.#waiting--
    return true
  }

  #start (job: Job): void {
    this.#running++
    const startedAt = performance.now()
    job.run().finally(() => {
      this.#running--
      const ms = performance.now() - startedAt
      this.took.observe(ms / 1000)
      this.#hashMs = 0.9 * this.#hashMs + 0.1 * ms
      const next = this.#next()
      if (next) this.#start(next)
    })
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
