import { setTimeout as sleep } from 'node:timers/promises'
import { fromPrisma, PgBoss, type JobResult, type JobWithMetadata } from 'pg-boss'
import type { Db, Pool } from '../../db/client.ts'
import type { Log } from '../../log.ts'
import { QUEUES, SCHEMA } from './queues.ts'

/** `attempt` counts from 1; `last`: a failure now is for good; `signal`: this node stops, or the job has taken too long. */
export type Job<T> = { id: string, data: T, attempt: number, last: boolean, signal: AbortSignal }

/** Thrown by a worker: trying again would not help. */
export class HopelessJob extends Error {
  override name = 'HopelessJob'
}

export type Worker<T extends object> = { queue: string, pollSeconds: number, work: (job: Job<T>) => Promise<void> }

/** How many jobs of a queue there are in the whole cluster; `failed` are those tried no more that are still kept. */
export type QueueCounts = { queue: string, queued: number, failed: number }
/** How many attempts at jobs of a queue ended how, in this process; `given_up` are tried no more. */
export type Attempts = { completed: number, failed: number, given_up: number }

/** What is being done when a node stops may take this long; then it is given back, and another node does it. */
const FINISH_WITHIN_MS = 5_000
/** How often one node of the cluster looks for jobs whose node has died, and counts. */
const SUPERVISED_EVERY_SECONDS = 30
/** While the database is away every poll fails alike. */
const SAME_ERROR_AGAIN_MS = 60_000

const NO_JOB = '00000000-0000-0000-0000-000000000000'

/** Jobs in PostgreSQL: written in the transaction of what they belong to, done by any node, at least once. */
export class Jobs {
  readonly #log: Log
  /** Never started: it only writes, in the transaction of the caller, also while this node stops working. */
  readonly #sender: PgBoss
  readonly #boss: PgBoss
  readonly #stopping = new AbortController()
  #starting: Promise<void> | undefined
  readonly attempts = new Map<string, Attempts>()

  constructor ({ pool, log }: { pool: Pool, log: Log }) {
    this.#log = log
    // Our own pool, so that its bounds hold here too. What would take longer than they allow (rebuilding indexes) is left to PostgreSQL's vacuum.
    const common = { db: { executeSql: async (text: string, values?: unknown[]) => await pool.query(text, values) }, schema: SCHEMA, registerInstance: false, openTelemetry: { enabled: false } }
    this.#sender = new PgBoss(common)
    this.#boss = new PgBoss({ ...common, reindex: false, monitorVacuum: false, superviseIntervalSeconds: SUPERVISED_EVERY_SECONDS, monitorIntervalSeconds: SUPERVISED_EVERY_SECONDS, flowIntervalSeconds: 86_400, bamIntervalSeconds: 3_600, cronMonitorIntervalSeconds: 45, cronWorkerIntervalSeconds: 45 })
    const reported = new Map<string, number>()
    const report = (error: Error) => {
      const message = error.message.replace(/ \(Queue: .*/, '')
      if (performance.now() - (reported.get(message) ?? -Infinity) < SAME_ERROR_AGAIN_MS) return
      reported.clear()
      reported.set(message, performance.now())
      log.warn({ err: message }, 'jobs')
    }
    this.#sender.on('error', report)
    this.#boss.on('error', report)
  }

  /** Reads once what `send` must know of a queue: within a transaction it would need a second connection for that, and many at once would starve each other. */
  async learn (queue: string): Promise<void> {
    await this.#sender.findJobs(queue, { id: NO_JOB })
  }

  /** @param db a transaction: the job is there once that commits, or not at all */
  async send (db: Db, queue: string, data: object): Promise<void> {
    await this.#sender.send(queue, data, { db: fromPrisma(db) })
  }

  /** Has these queues worked on here until `stop`; where the database is away, as soon as it is back. */
  start (workers: readonly Worker<any>[]): void {
    this.#starting = this.#begin(workers)
  }

  async #begin (workers: readonly Worker<any>[]): Promise<void> {
    const { signal } = this.#stopping
    for (let waitMs = 1_000; !signal.aborted; waitMs = Math.min(2 * waitMs, 15_000)) {
      try {
        await this.#boss.start()
        for (const worker of workers) await this.#workOn(worker)
        return
      } catch (error) {
        this.#log.warn({ err: (error as Error).message }, 'jobs cannot be started yet')
        await sleep(waitMs * (0.8 + Math.random() * 0.4), undefined, { signal, ref: false }).catch(() => {})
      }
    }
  }

  async #workOn ({ queue, pollSeconds, work }: Worker<any>): Promise<void> {
    const attempts: Attempts = { completed: 0, failed: 0, given_up: 0 }
    this.attempts.set(queue, attempts)
    // One at a time, so that a node that dies leaves one mail in doubt, not a batch of them; and after one the next at once.
    const self = await this.#boss.work(queue, { pollingIntervalSeconds: pollSeconds, batchSize: 1, includeMetadata: true, perJobResults: true }, async (jobs: JobWithMetadata<any>[]): Promise<JobResult[]> => {
      this.#boss.notifyWorker(self)
      return await Promise.all(jobs.map(async ({ id, data, retryCount, retryLimit, signal }) => {
        try {
          await work({ id, data, attempt: retryCount + 1, last: retryCount >= retryLimit, signal: AbortSignal.any([signal, this.#stopping.signal]) })
          attempts.completed++
          return { id, status: 'completed' as const }
        } catch (error) {
          attempts[error instanceof HopelessJob || retryCount >= retryLimit ? 'given_up' : 'failed']++
          return { id, status: error instanceof HopelessJob ? 'deadletter' as const : 'failed' as const, output: { message: (error as Error).message.slice(0, 500) } }
        }
      }))
    })
  }

  /** Gives what was given up another round of attempts. @returns how many jobs */
  async redrive (deadQueue: string): Promise<number> {
    let sum = 0
    for (let moved = 1; moved > 0; sum += moved) moved = await this.#sender.redrive(deadQueue, { limit: 500 })
    return sum
  }

  /** As the cluster counted them at most half a minute ago. */
  async counts (): Promise<QueueCounts[]> {
    const counted = new Map((await this.#sender.getQueues(QUEUES.map(({ name }) => name))).map(queue => [queue.name, queue]))
    return QUEUES.map(({ name }) => ({ queue: name, queued: counted.get(name)?.queuedCount ?? 0, failed: counted.get(name)?.failedCount ?? 0 }))
  }

  /** What is being done is finished first, for a while. Stopping twice is stopping once. Never rejects: what could not be given back expires. */
  async stop (): Promise<void> {
    this.#stopping.abort()
    await this.#starting
    await this.#boss.stop({ graceful: true, timeout: FINISH_WITHIN_MS }).catch((error: Error) => this.#log.warn({ err: error.message }, 'jobs'))
  }
}
