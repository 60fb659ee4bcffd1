import { readFileSync } from 'node:fs'
import t from 'tap'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { drift, schemaEngine } from '../helpers/schema-engine.ts'

const schema = readFileSync('prisma/schema.prisma', 'utf8')

t.test('the migrated database is what prisma/schema.prisma says, and a column added by hand is noticed', async t => {
  const databaseUrl = await freshDatabase(t)
  const sql = await sqlTo(t, databaseUrl)
  const engine = await schemaEngine(databaseUrl, schema)
  t.equal(await drift(engine, schema), '')
  await sql('ALTER TABLE users ADD COLUMN planted integer')
  t.match(await drift(engine, schema), /DROP COLUMN "planted"/)
  await sql('ALTER TABLE users DROP COLUMN planted')
  await sql('ALTER TABLE revocation ALTER COLUMN val TYPE bigint')
  t.match(await drift(engine, schema), /"revocation"/, 'in the table that the client ignores, too')
})
