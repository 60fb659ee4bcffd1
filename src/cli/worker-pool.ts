import type { Worker } from 'node:cluster'
import { StartError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Order, ToPrimary, ToWorker } from './messages.ts'

/** A worker that has served for this long had a good start, whatever ended it. */
const STEADY_MS = 1_000
/** So many quick deaths in a row, and nobody who serves steadily: something is wrong that another start does not mend. */
const GIVE_UP_AFTER = 5
const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 5_000
/** For a worker that was told to go: half a second more than it gives itself. */
const GONE_WITHIN_MS = 10_000

type Member = { state: 'starting' | 'serving' | 'leaving', since: number, ended: Promise<void> }

/** Keeps `size` workers serving: replaces those that die, and all of them, one after the other, when asked to. */
export class WorkerPool {
  readonly #size: number
  readonly #log: Log
  readonly #fork: (readyFirst: boolean) => Worker
  readonly #members = new Map<Worker, Member>()
  readonly #gaveUp = Promise.withResolvers<never>()
  #quickDeaths = 0
  /** From then on a worker that has nothing to say yet does not listen: the others have. */
  #started = false
  #stopping = false
  #rolling = false
  #rollAgain = false

  constructor ({ size, log, fork }: { size: number, log: Log, fork: (readyFirst: boolean) => Worker }) {
    this.#size = size
    this.#log = log
    this.#fork = fork
    this.#gaveUp.promise.catch(() => {})
  }

  get serving (): Worker[] { return this.#in('serving') }

  /** Rejects when it is no use to go on. */
  get failure (): Promise<never> { return this.#gaveUp.promise }

  /** As with a single process, what keeps the first from serving ends the start; that worker has said why. */
  async start (): Promise<void> {
    await this.#raise()
    await Promise.all(Array.from({ length: this.#size - 1 }, () => this.#raise().catch(() => this.#replace(0))))
    this.#started = true
  }

  /** One after the other: first a replacement, then the old one may go. Asked for again meanwhile, it is done again. */
  async roll (): Promise<void> {
    this.#rollAgain = true
    if (this.#rolling) return
    this.#rolling = true
    try {
      while (this.#rollAgain) {
        this.#rollAgain = false
        for (const old of this.serving) {
          if (this.#members.get(old)?.state !== 'serving') continue // died meanwhile: what took its place is new
          await this.#raise()
          await this.#dismiss(old, 'retire')
        }
      }
    } catch (error) {
      if (!this.#stopping) throw error
    } finally { this.#rolling = false }
  }

  /** Ends them all; what has not ended in time is killed. */
  async stop (): Promise<void> {
    this.#stopping = true
    for (const worker of this.#in('starting')) worker.process.kill('SIGKILL')
    await Promise.all([...this.#members.keys()].map(async worker => await this.#dismiss(worker, 'stop')))
  }

  kill (): void {
    this.#stopping = true
    for (const worker of this.#members.keys()) worker.process.kill('SIGKILL')
  }

  #in (wanted: Member['state']): Worker[] { return [...this.#members].filter(([, { state }]) => state === wanted).map(([worker]) => worker) }

  /** One more worker, once it serves. @throws when it ends before that */
  async #raise (): Promise<void> {
    if (this.#stopping) throw new StartError('The service is being stopped.')
    const worker = this.#fork(this.#started)
    // A message to a worker that dies meanwhile is lost; of its end we hear otherwise.
    worker.on('error', error => this.#log.warn({ worker: worker.id, err: error.message }, 'a worker could not be reached'))
    const serving = new Promise<void>(resolve => {
      worker.on('message', (message: ToPrimary) => { if ('event' in message && message.event === 'serving') resolve() })
    })
    const ended = new Promise<void>(resolve => {
      worker.once('exit', (code, signal) => { this.#ended(worker, code, signal); resolve() })
    })
    const member: Member = { state: 'starting', since: performance.now(), ended }
    this.#members.set(worker, member)
    await Promise.race([serving, ended])
    if (!this.#members.has(worker)) throw new StartError('A worker process ended before it served.')
    Object.assign(member, { state: 'serving', since: performance.now() })
  }

  #ended (worker: Worker, code: number | null, signal: string | null): void {
    const { state, since } = this.#members.get(worker)!
    this.#members.delete(worker)
    if (this.#stopping || state === 'leaving') return
    this.#log.error({ worker: worker.id, code, signal }, state === 'starting' ? 'a worker did not come up' : 'a worker died')
    if (state === 'serving') this.#replace(performance.now() - since)
  }

  /** The later, the more often it was in vain. */
  #replace (servedMs: number): void {
    if (this.#stopping) return
    this.#quickDeaths = servedMs >= STEADY_MS ? 0 : this.#quickDeaths + 1
    if (this.#quickDeaths >= GIVE_UP_AFTER && !this.#anySteady()) {
      this.#gaveUp.reject(new StartError(`${this.#quickDeaths} worker processes in a row ended as soon as they had started; their last lines say why.`))
      return
    }
    setTimeout(() => {
      // A rolling restart may have filled the place.
      if (this.#stopping || this.#in('serving').length + this.#in('starting').length >= this.#size) return
      this.#raise().catch(() => this.#replace(0))
    }, this.#quickDeaths === 0 ? 0 : Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (this.#quickDeaths - 1)))
  }

  #anySteady (): boolean {
    return this.#in('serving').some(worker => performance.now() - this.#members.get(worker)!.since >= STEADY_MS)
  }

  async #dismiss (worker: Worker, order: Order): Promise<void> {
    const member = this.#members.get(worker)
    if (!member) return // it has gone by itself
    member.state = 'leaving'
    if (worker.isConnected()) worker.send({ order } satisfies ToWorker, () => {})
    const late = setTimeout(() => {
      this.#log.error({ worker: worker.id }, 'a worker did not end in time, and is killed')
      worker.process.kill('SIGKILL')
    }, GONE_WITHIN_MS)
    await member.ended
    clearTimeout(late)
  }
}
