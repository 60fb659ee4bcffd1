import type { Config } from '../config.ts'
import type { KeyEncryptionKeys } from '../config-values.ts'
import { openDatabase, type Db, type Pool } from '../db/client.ts'
import { migrationStatus, readMigrations } from '../db/migrate.ts'
import { settle } from '../dev-settings.ts'
import { StartError } from '../errors.ts'
import { systemClock, type Clock } from '../lib/clock.ts'
import { createLog, type Log } from '../log.ts'
import { migrationsFolder } from '../paths.ts'
import { databaseConfigFrom } from './settings.ts'

/** For commands that do one thing on the database. An embedded one that the service is using is shared, not stopped. */
export async function withDatabase<T> (env: Readonly<Record<string, string | undefined>>, work: (deps: { db: Db, pool: Pool, log: Log, config: Config, clock: Clock, keyEncryptionKey: KeyEncryptionKeys }) => Promise<T>): Promise<T> {
  const config = databaseConfigFrom(env)
  const settled = await settle(config, { share: true })
  // What a command prints is its result.
  const log = createLog(config, { write: line => { process.stderr.write(line) } })
  const { db, pool, close } = openDatabase(settled.databaseUrl, { log })
  try {
    const pending = (await migrationStatus(settled.databaseUrl, await readMigrations(migrationsFolder))).some(({ state }) => state === 'pending')
    if (pending) throw new StartError('The database is not migrated to this release; run `stateless-auth migrate up` first.')
    return await work({ db, pool, log, config, clock: systemClock, keyEncryptionKey: settled.keyEncryptionKey })
  } finally {
    await close()
    await settled.stop()
  }
}
