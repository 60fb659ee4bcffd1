import { PgBoss } from 'pg-boss'
import { QUEUES, SCHEDULES, SCHEMA } from './queues.ts'

/** Makes or renews the tables and queues of the jobs, with the migrations of ours. Nodes that start together wait for each other. */
export async function installJobs (databaseUrl: string): Promise<void> {
  const boss = new PgBoss({
    connectionString: databaseUrl, application_name: 'stateless-auth migrate', connectionTimeoutMillis: 5_000, max: 1, schema: SCHEMA,
    supervise: false, schedule: false, registerInstance: false, openTelemetry: { enabled: false },
  })
  // What matters is thrown.
  boss.on('error', () => {})
  try {
    await boss.start()
    for (const { name, ...options } of QUEUES) await boss.createQueue(name, options)
    for (const { queue, cron } of SCHEDULES) await boss.schedule(queue, cron)
  } finally {
    await boss.stop({ graceful: false })
  }
}
