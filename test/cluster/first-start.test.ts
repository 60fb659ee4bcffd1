import { randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import t from 'tap'
import { migrateUp, readMigrations } from '../../src/db/migrate.ts'
import { migrationsFolder } from '../../src/paths.ts'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { send, startProcess } from '../helpers/processes.ts'
import { PASSWORD, world } from '../helpers/world.ts'

t.test('eight nodes that start at once on an empty database become one service', async t => {
  const database = await freshDatabase(t, { empty: true })
  const nodes = await Promise.all(Array.from({ length: 8 }, async () => await startProcess(t, database)))

  const sql = await sqlTo(t, database)
  const migrations = (await readdir(migrationsFolder, { withFileTypes: true })).filter(entry => entry.isDirectory()).map(entry => entry.name).sort()
  t.strictSame(await sql('SELECT migration_name AS name, applied_steps_count AS steps, finished_at IS NOT NULL AS finished FROM _prisma_migrations ORDER BY 1'),
    migrations.map(name => ({ name, steps: 1, finished: true })))
  t.strictSame(await sql('SELECT count(*)::int FROM installation'), [{ count: 1 }])
  const keys = await sql<{ use: string, slot: string }>('SELECT use, slot, rev FROM signing_key ORDER BY use, slot')
  t.strictSame(keys.map(({ use }) => use), ['at', 'at', 'ft', 'ft', 'rt', 'rt'])
  t.equal(new Set(keys.map(({ use, slot }) => `${use} ${slot}`)).size, 6, 'one key a use and slot')
  t.equal(new Set(keys.map(({ slot }) => slot)).size, 2, 'this slot and the next')
  const jwks = await Promise.all(nodes.map(async ({ url }) => (await send(url, 'GET', '/.well-known/jwks.json')).json))
  for (const keySet of jwks) t.strictSame(keySet, jwks[0])

  const account = { email: `${randomUUID()}@example.com`, password: PASSWORD }
  await send(nodes[0]!.url, 'POST', '/v1/auth/register', { body: account })
  const tokens: { access_token: string, refresh_token: string }[] = []
  for (const { url } of nodes) tokens.push((await send(url, 'POST', '/v1/auth/login', { body: { ...account, refresh: 'body' } })).json)
  const verdicts = await Promise.all(nodes.flatMap(({ url }) => tokens.map(async token => (await send(url, 'GET', '/v1/auth/verify', { bearer: token.access_token })).status)))
  t.strictSame(verdicts, Array(64).fill(200), 'every node takes what every node issued')
  const refreshed = await Promise.all(nodes.map(async ({ url }, index) =>
    (await send(url, 'POST', '/v1/auth/refresh', { body: { refresh_token: tokens[(index + 1) % 8]!.refresh_token } })).status))
  t.strictSame(refreshed, Array(8).fill(200))
})

// Processes never start in the same millisecond; these do.
t.test('of twelve that migrate at the same moment one applies each migration, and the others wait for it', async t => {
  const migrations = await readMigrations(migrationsFolder)
  for (let round = 0; round < 5; round++) {
    const database = await freshDatabase(t, { empty: true })
    const applied = await Promise.all(Array.from({ length: 12 }, async () => await migrateUp(database, migrations)))
    t.strictSame(applied.flat().sort(), migrations.map(({ name }) => name))
  }
})

t.test('of eight nodes that find no keys at the same moment one makes each key', async t => {
  const { sql, anotherNode } = await world(t)
  for (let round = 0; round < 3; round++) {
    await sql('TRUNCATE signing_key')
    const nodes = await Promise.all(Array.from({ length: 8 }, anotherNode))
    t.strictSame(await sql('SELECT use, rev, count(*)::int FROM signing_key GROUP BY use, rev ORDER BY use'),
      ['at', 'ft', 'rt'].map(use => ({ use, rev: 0, count: 2 })))
    const kids = await Promise.all(nodes.map(async ({ call }) => (await call('GET', '/.well-known/jwks.json')).body))
    t.equal(new Set(kids).size, 1)
  }
})
