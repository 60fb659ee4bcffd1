import type { Config } from './config.ts'
import type { KeyEncryptionKeys } from './config-values.ts'
import { jobsAreInstalled } from './core/jobs/installed.ts'
import { migrateUp, readMigrations } from './db/migrate.ts'
import { settle } from './dev-settings.ts'
import type { Log } from './log.ts'
import { migrationsFolder } from './paths.ts'

/** What a server needs beside its configuration. */
export type Database = { databaseUrl: string, keyEncryptionKey: KeyEncryptionKeys }

/**
 * What is done once on a machine, however many processes then serve: the embedded database and its key, where the
 * configuration leaves them open, and the migrations, ours and those of the jobs.
 */
export async function prepareDatabase (config: Config, log: Log): Promise<Database & { stop: () => Promise<void> }> {
  const { embedded, stop, ...database } = await settle(config)
  if (embedded) log.info(embedded, 'embedded PostgreSQL')
  try {
    await migrateDatabase(database.databaseUrl, log)
    return { ...database, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

export async function migrateDatabase (databaseUrl: string, log: Log): Promise<void> {
  const migrating = readMigrations(migrationsFolder).then(async migrations => await migrateUp(databaseUrl, migrations))
  const [applied, installed] = await Promise.all([migrating, jobsAreInstalled(databaseUrl)])
  if (applied.length > 0) log.info({ applied }, 'database migrated')
  // Loaded only where there is something to install.
  if (!installed) await (await import('./core/jobs/install.ts')).installJobs(databaseUrl)
}
