import t from 'tap'
import { readFileSync } from 'node:fs'
import { migrateUp, migrationStatus, readMigrations, type Migration } from '../../src/db/migrate.ts'
import { migrationsFolder } from '../../src/paths.ts'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { history, schemaEngine } from '../helpers/schema-engine.ts'

const shipped = await readMigrations(migrationsFolder)
const schema = readFileSync('prisma/schema.prisma', 'utf8')
const extra = (name: string, sql: string): Migration => ({ name, sql, checksum: name.padEnd(64, '0') })

t.test('of eight nodes that start at once on an empty database one applies each migration, and the others wait and find it done', async t => {
  const url = await freshDatabase(t, { empty: true })
  const applied = await Promise.all(Array.from({ length: 8 }, async () => await migrateUp(url, shipped)))
  t.strictSame(applied.flat().sort(), shipped.map(({ name }) => name), 'each once, whoever came first')
  const sql = await sqlTo(t, url)
  t.strictSame(await sql('SELECT count(*)::int AS installations FROM installation'), [{ installations: 1 }])
  t.ok((await migrationStatus(url, shipped)).every(({ state }) => state === 'applied'))
})

t.test('status lists what is pending and changes nothing', async t => {
  const url = await freshDatabase(t, { empty: true })
  t.ok((await migrationStatus(url, shipped)).every(({ state }) => state === 'pending'))
  const sql = await sqlTo(t, url)
  t.strictSame(await sql('SELECT to_regclass(\'_prisma_migrations\') IS NULL AS untouched'), [{ untouched: true }])
})

t.test('a migration edited after it was applied stops the start, and names the file', async t => {
  const url = await freshDatabase(t)
  const edited = shipped.map((migration, at) => at === 0 ? { ...migration, checksum: 'f'.repeat(64) } : migration)
  await t.rejects(migrateUp(url, edited), { name: 'StartError', message: new RegExp(`${shipped[0]!.name} differs`) })
})

t.test('a migration that another tool began and never finished stops the start', async t => {
  const url = await freshDatabase(t)
  const sql = await sqlTo(t, url)
  await sql('INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES (\'x\', \'x\', \'20300101000000_begun\')')
  await t.rejects(migrateUp(url, shipped), { name: 'StartError', message: /20300101000000_begun .* never finished/ })
  await sql('UPDATE _prisma_migrations SET rolled_back_at = now() WHERE id = \'x\'')
  t.strictSame(await migrateUp(url, shipped), [], 'and no longer once it is marked as rolled back')
})

t.test('a migration that fails leaves nothing behind, and the next start can do it again', async t => {
  const url = await freshDatabase(t)
  const sql = await sqlTo(t, url)
  const broken = extra('20300101000000_broken', 'CREATE TABLE half (id int); SELECT 1/0')
  await t.rejects(migrateUp(url, [...shipped, broken]), { code: '22012' })
  t.strictSame(await sql('SELECT to_regclass(\'half\') IS NULL AS gone'), [{ gone: true }])
  t.strictSame(await migrateUp(url, [...shipped, { ...broken, sql: 'CREATE TABLE half (id int)' }]), [broken.name])
})

t.test('an older release starts on a database that a newer one has migrated already', async t => {
  const url = await freshDatabase(t)
  await migrateUp(url, [...shipped, extra('20300101000000_next', 'CREATE TABLE next (id int)')])
  t.strictSame(await migrateUp(url, shipped), [])
})

t.test('Prisma\'s own engine finds the history in order, and notices one that is not', async t => {
  const url = await freshDatabase(t)
  const sql = await sqlTo(t, url)
  const engine = await schemaEngine(url, schema)
  const inOrder = { editedMigrationNames: [], failedMigrationNames: [], hasMigrationsTable: true, history: null }
  t.match(await history(engine, shipped), inOrder)
  t.strictSame((await history(engine, shipped)).history, null)
  t.not((await history(engine, [...shipped, extra('20300101000000_next', 'SELECT 1')])).history, null, 'a pending one')
  await sql('UPDATE _prisma_migrations SET checksum = \'x\'')
  t.strictSame((await history(engine, shipped)).editedMigrationNames, shipped.map(({ name }) => name))
  await sql('UPDATE _prisma_migrations SET finished_at = NULL')
  t.strictSame((await history(engine, shipped)).failedMigrationNames, shipped.map(({ name }) => name))
})
