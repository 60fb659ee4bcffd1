import type { Worker } from 'node:cluster'
import { combine, countedIn, type Reading } from '../metrics/reading.ts'
import type { ToPrimary, ToWorker } from './messages.ts'

const ANSWER_WITHIN_MS = 2_000

/** Asks the workers for their readings, and keeps what those that have gone had counted: a counter never falls. */
export class WorkerReadings {
  readonly #last = new Map<Worker, Reading>()
  #gone: Reading = {}
  #asked = 0
  #reading: Promise<Reading[]> | undefined

  /** Calls that overlap share one. @throws when a worker does not answer: one that hangs would be left out in silence otherwise */
  read (workers: readonly Worker[]): Promise<Reading[]> {
    this.#reading ??= this.#readAll(workers).finally(() => { this.#reading = undefined })
    return this.#reading
  }

  async #readAll (workers: readonly Worker[]): Promise<Reading[]> {
    const read = ++this.#asked
    const readings = await Promise.all(workers.map(async worker => await this.#ask(worker, read)))
    const heard = readings.filter(reading => reading !== null)
    return heard.length > 0 ? [...heard, this.#gone] : []
  }

  /** What it had counted since it was last asked is lost with it. */
  forget (worker: Worker): void {
    const last = this.#last.get(worker)
    if (!last) return
    this.#last.delete(worker)
    this.#gone = combine([this.#gone, countedIn(last)])
  }

  /** Null when it ended meanwhile. */
  async #ask (worker: Worker, read: number): Promise<Reading | null> {
    return await new Promise((resolve, reject) => {
      const done = () => {
        clearTimeout(late)
        worker.off('message', hear)
        worker.off('exit', leave)
      }
      const hear = (message: ToPrimary) => {
        if (!('read' in message) || message.read !== read) return
        done()
        this.#last.set(worker, message.reading)
        resolve(message.reading)
      }
      const leave = () => { done(); resolve(null) }
      const late = setTimeout(() => { done(); reject(new Error(`worker ${worker.id} does not answer`)) }, ANSWER_WITHIN_MS)
      worker.on('message', hear)
      worker.on('exit', leave)
      worker.send({ read } satisfies ToWorker, () => {})
    })
  }
}
