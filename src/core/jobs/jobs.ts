import { fromPrisma, PgBoss, type Job, type Queue, type WorkOptions } from 'pg-boss'
import type { Db, Pool } from '../../db/client.ts'
import type { Log } from '../../log.ts'

/** Keeps its tables in a schema of its own, beside ours, with migrations of its own. */
const SCHEMA = 'pgboss'

/** Sixty attempts over three days would not help a mail that is refused; what fails for good waits in the dead-letter queue to be seen. */
export const QUEUES: readonly ({ name: string } & Omit<Queue, 'name'>)[] = [
  { name: 'email-dead', retentionSeconds: 14 * 86_400, deleteAfterSeconds: 14 * 86_400 },
  { name: 'email', retryLimit: 8, retryDelay: 5, retryBackoff: true, expireInSeconds: 60, heartbeatSeconds: 15, retentionSeconds: 3 * 86_400, deleteAfterSeconds: 86_400, deadLetter: 'email-dead' },
]

/** Jobs in PostgreSQL: written in the transaction of what they belong to, done by any node, at least once. */
export class Jobs {
  readonly #boss: PgBoss

  constructor ({ pool, log }: { pool: Pool, log: Log }) {
    this.#boss = new PgBoss({ db: { executeSql: async (text, values) => await pool.query(text, values) }, schema: SCHEMA })
    this.#boss.on('error', error => log.warn({ err: error.message }, 'jobs'))
  }

  /** Makes or renews its tables and queues. Nodes that start together wait for each other. */
  async start (): Promise<void> {
    await this.#boss.start()
    for (const { name, ...options } of QUEUES) await this.#boss.createQueue(name, options)
  }

  /** @param db a transaction: the job is there once that commits, or not at all */
  async send (db: Db, queue: string, data: object): Promise<void> {
    await this.#boss.send(queue, data, { db: fromPrisma(db) })
  }

  /** Does the jobs of a queue here, until `stop`. */
  async work<T extends object> (queue: string, options: WorkOptions, handler: (job: Job<T>) => Promise<void>): Promise<void> {
    await this.#boss.work<T>(queue, { ...options, batchSize: 1 }, async jobs => { for (const job of jobs) await handler(job) })
  }

  /** What is being done is finished first. */
  async stop (): Promise<void> {
    await this.#boss.stop({ graceful: true, timeout: 5_000 })
  }
}
