import { hash, randomUUID } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import type pg from 'pg'
import { StartError } from '../errors.ts'
import { withClient } from './one-client.ts'

/** The lock that Prisma's own engine takes, so that `prisma migrate deploy` and this runner exclude each other. */
const LOCK = 72707369

export type Migration = { name: string, sql: string, checksum: string }
export type MigrationState = { name: string, state: 'applied' | 'pending' }

/** The migrations that this build carries, in order; `folder` holds Prisma's layout `<stamp>_<name>/migration.sql`. */
export async function readMigrations (folder: URL): Promise<Migration[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  const names = entries.filter(entry => entry.isDirectory()).map(entry => entry.name).sort()
  return await Promise.all(names.map(async name => {
    const sql = await readFile(new URL(`${name}/migration.sql`, folder), 'utf8')
    return { name, sql, checksum: hash('sha256', sql) }
  }))
}

/**
 * Applies what is pending and records it exactly as Prisma does. However many nodes start at once, one applies and the
 * others wait for it. A migration is one transaction: a node that dies in it leaves nothing behind. Nothing outlives a transaction, lock
 * and settings included: a pooler in transaction mode may hand the connection to somebody else after each.
 * @returns the names applied by this call
 */
export async function migrateUp (url: string, migrations: readonly Migration[]): Promise<string[]> {
  return await withClient(url, async client => {
    const applied: string[] = []
    // Mostly there is nothing to do, and nobody to wait for.
    if (pending(migrations, await recordedIfAny(client)).length === 0) return applied
    for (;;) {
      await client.query('BEGIN')
      await lockMigrations(client)
      await client.query(`CREATE TABLE IF NOT EXISTS _prisma_migrations (
        id VARCHAR(36) PRIMARY KEY NOT NULL, checksum VARCHAR(64) NOT NULL, finished_at TIMESTAMPTZ, migration_name VARCHAR(255) NOT NULL,
        logs TEXT, rolled_back_at TIMESTAMPTZ, started_at TIMESTAMPTZ NOT NULL DEFAULT now(), applied_steps_count INTEGER NOT NULL DEFAULT 0)`)
      // Read anew each time: between two transactions another node may have gone on.
      const [next] = pending(migrations, await recorded(client))
      if (next) {
        await client.query('SET LOCAL lock_timeout = \'10s\'')
        await client.query(next.sql)
        await client.query('INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name, applied_steps_count) VALUES ($1, $2, clock_timestamp(), $3, 1)',
          [randomUUID(), next.checksum, next.name])
      }
      await client.query('COMMIT')
      if (!next) return applied
      applied.push(next.name)
    }
  })
}

/** Until the end of the transaction. */
async function lockMigrations (client: pg.Client): Promise<void> {
  // A pooler, or the role, may have set a time for requests.
  await client.query('SET LOCAL statement_timeout = 0')
  await client.query('SET LOCAL lock_timeout = \'60s\'')
  await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK]).catch((cause: pg.DatabaseError) => {
    if (cause.code === '55P03') throw new StartError('Another node has been migrating this database for a minute; try again when it has finished.', { cause })
    throw cause
  })
}

export async function migrationStatus (url: string, migrations: readonly Migration[]): Promise<MigrationState[]> {
  return await withClient(url, async client => {
    const waiting = pending(migrations, await recordedIfAny(client))
    return migrations.map(migration => ({ name: migration.name, state: waiting.includes(migration) ? 'pending' : 'applied' }))
  })
}

type Recorded = { migration_name: string, checksum: string, finished: boolean }

async function recorded (client: pg.Client): Promise<Recorded[]> {
  const { rows } = await client.query<Recorded>('SELECT migration_name, checksum, finished_at IS NOT NULL AS finished FROM _prisma_migrations WHERE rolled_back_at IS NULL')
  return rows
}

async function recordedIfAny (client: pg.Client): Promise<Recorded[]> {
  const { rows: [table] } = await client.query('SELECT to_regclass(\'_prisma_migrations\') IS NOT NULL AS present')
  return table.present ? await recorded(client) : []
}

/** Rows that this build does not know are fine: during a rolling upgrade the next release has migrated already. */
function pending (migrations: readonly Migration[], done: readonly Recorded[]): Migration[] {
  const unfinished = done.find(row => !row.finished)
  if (unfinished) throw new StartError(`The migration ${unfinished.migration_name} was begun by another tool and never finished; mend it with \`prisma migrate resolve\`.`)
  const byName = new Map(done.map(row => [row.migration_name, row.checksum]))
  const changed = migrations.find(({ name, checksum }) => byName.has(name) && byName.get(name) !== checksum)
  if (changed) throw new StartError(`The migration ${changed.name} differs from the one this database was made with.`)
  return migrations.filter(({ name }) => !byName.has(name))
}
