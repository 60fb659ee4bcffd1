import { installJobs } from '../core/jobs/install.ts'
import { migrateUp, migrationStatus, readMigrations } from '../db/migrate.ts'
import { settle } from '../dev-settings.ts'
import { migrationsFolder } from '../paths.ts'
import { MISUSED, type Command } from './command.ts'
import { databaseConfigFrom } from './settings.ts'

/** `status` ends with 1 while something is pending, so that a deployment can ask. */
export const migrate: Command = async ([what], env) => {
  if (what !== 'up' && what !== 'status') return MISUSED
  const settled = await settle(databaseConfigFrom(env), { share: true })
  try {
    const migrations = await readMigrations(migrationsFolder)
    if (what === 'up') {
      const applied = await migrateUp(settled.databaseUrl, migrations)
      await installJobs(settled.databaseUrl)
      process.stdout.write(applied.length > 0 ? applied.map(name => `applied ${name}\n`).join('') : 'nothing to apply\n')
      return 0
    }
    const states = await migrationStatus(settled.databaseUrl, migrations)
    process.stdout.write(states.map(({ name, state }) => `${state}\t${name}\n`).join(''))
    return states.every(({ state }) => state === 'applied') ? 0 : 1
  } finally {
    await settled.stop()
  }
}
