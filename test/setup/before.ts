import { execFileSync } from 'node:child_process'
import { installJobs } from '../../src/core/jobs/install.ts'
import { startEmbedded } from '../../src/db/embedded/start.ts'
import { migrateUp, readMigrations } from '../../src/db/migrate.ts'
import { migrationsFolder } from '../../src/paths.ts'
import { databaseNamed, onServer, rememberServer, TEMPLATE, TEST_DATA } from './database.ts'

// Once a run: the bundle that nodes in processes of their own run, as in the image; and a real PostgreSQL, and in it a migrated template that each test file clones in some 30 ms.
execFileSync(process.execPath, ['scripts/bundle.ts'], { stdio: ['ignore', 'ignore', 'inherit'] })
const url = process.env['DATABASE_URL'] || (await startEmbedded(TEST_DATA, ['-c', 'max_connections=300', '-c', 'fsync=off'])).url
await rememberServer(url)
await onServer(url, async client => {
  await client.query(`DROP DATABASE IF EXISTS ${TEMPLATE} WITH (FORCE)`)
  await client.query(`CREATE DATABASE ${TEMPLATE}`)
})
await migrateUp(databaseNamed(url, TEMPLATE), await readMigrations(migrationsFolder))
await installJobs(databaseNamed(url, TEMPLATE))
