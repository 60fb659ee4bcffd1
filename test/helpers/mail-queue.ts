import { randomBytes } from 'node:crypto'
import { PgBoss } from 'pg-boss'
import { uuidv7 } from '../../src/lib/ids.ts'
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

/** An account that was not signed up for, so that no mail is about it yet. */
export async function quietUser (sql: Sql): Promise<{ id: string, email: string }> {
  const user = { id: uuidv7(Date.now()), email: `${randomBytes(6).toString('hex')}@example.com` }
  await sql('WITH c AS (INSERT INTO credential (user_id, password_hash) VALUES ($1, \'x\')) INSERT INTO users (id, email) VALUES ($1, $2)', [user.id, user.email])
  return user
}
