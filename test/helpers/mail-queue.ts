import { PgBoss } from 'pg-boss'
import type { Sql } from './database.ts'

/** Has the queues looked after at once: jobs of nodes that died are found, jobs are counted. A node does it every half minute. */
export async function superviseNow (sql: Sql, databaseUrl: string): Promise<void> {
  await sql('UPDATE pgboss.queue SET monitor_on = NULL')
  const boss = new PgBoss({ connectionString: databaseUrl, max: 1, supervise: false, schedule: false, registerInstance: false })
  boss.on('error', () => {})
  await boss.start()
  try { await boss.supervise() } finally { await boss.stop({ graceful: false }) }
}

/** As if the node that has the job had been silent for a while. */
export const loseHeartbeat = async (sql: Sql): Promise<void> => {
  await sql('UPDATE pgboss.job SET heartbeat_on = heartbeat_on - interval \'1 minute\' WHERE state = \'active\'')
}

/** What waits for its next attempt is due. */
export const retryNow = async (sql: Sql): Promise<void> => {
  await sql('UPDATE pgboss.job SET start_after = now() WHERE state = \'retry\'')
}

export const mailStates = async (sql: Sql): Promise<string[]> =>
  (await sql<{ state: string }>('SELECT name || \':\' || state AS state FROM pgboss.job WHERE name LIKE \'email%\' ORDER BY 1')).map(({ state }) => state)
