import { PgBoss } from 'pg-boss'
import { isDuplicate } from '../../db/faults.ts'
import { markJobsInstalled } from './installed.ts'
import { QUEUES, SCHEDULES, SCHEMA } from './queues.ts'

/**
 * Makes or renews the tables and queues of the jobs, with the migrations of ours. Nodes that start together wait for each other; but a connection that
 * has looked in vain a moment ago may still believe that there is no such schema after the wait, and then makes it twice. The next look sees it.
 */
export async function installJobs (databaseUrl: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try { await installOnce(databaseUrl); return } catch (error) {
      if (attempt === 3 || !isDuplicate(error)) throw error
    }
  }
}

async function installOnce (databaseUrl: string): Promise<void> {
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
    await markJobsInstalled(databaseUrl)
  } finally {
    await boss.stop({ graceful: false })
  }
}
