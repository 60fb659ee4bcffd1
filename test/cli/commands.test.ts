import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { cli } from '../helpers/cli.ts'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { temporaryFolder } from '../helpers/own-postgres.ts'
import { world } from '../helpers/world.ts'

const MIGRATION = '20261124000000_foundation'

t.test('migrate status tells a deployment what is pending, migrate up applies it once', async t => {
  const env = { DATABASE_URL: await freshDatabase(t, { empty: true }) }
  const before = await cli(t, ['migrate', 'status'], env)
  t.equal(before.code, 1)
  t.match(before.stdout, `pending\t${MIGRATION}`)
  const [one, other] = await Promise.all([cli(t, ['migrate', 'up'], env), cli(t, ['migrate', 'up'], env)])
  t.strictSame([one.code, other.code], [0, 0])
  const applied = [one, other].flatMap(({ stdout }) => [...stdout.matchAll(/^applied (\S+)$/gm)].map(([, name]) => name!))
  t.strictSame(applied.toSorted(), [...before.stdout.matchAll(/^pending\t(\S+)$/gm)].map(([, name]) => name!), 'of two at once, each was applied by one')
  t.ok(applied.includes(MIGRATION))
  t.match((await cli(t, ['migrate', 'up'], env)).stdout, 'nothing to apply')
  t.match(await cli(t, ['migrate', 'status'], env), { code: 0, stdout: `applied\t${MIGRATION}` })
})

t.test('a migration that was changed after it was applied stops everything', async t => {
  const database = await freshDatabase(t)
  const sql = await sqlTo(t, database)
  await sql('UPDATE _prisma_migrations SET checksum = repeat(\'0\', 64) WHERE migration_name = $1', [MIGRATION])
  for (const command of [['migrate', 'up'], ['migrate', 'status']]) {
    t.match(await cli(t, command, { DATABASE_URL: database }), { code: 1, stderr: `The migration ${MIGRATION} differs from the one this database was made with.\n` })
  }
})

t.test('a newer release has migrated already: the older one goes on', async t => {
  const database = await freshDatabase(t)
  const sql = await sqlTo(t, database)
  await sql('INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name, applied_steps_count) VALUES ($1, $2, now(), $3, 1)', ['x', 'y', '20991231000000_later'])
  t.match(await cli(t, ['migrate', 'up'], { DATABASE_URL: database }), { code: 0, stdout: 'nothing to apply\n' })
})

t.test('keys list shows what each key is for and nothing that signs', async t => {
  const kek = `k:${randomBytes(32).toString('base64')}`
  const { databaseUrl, sql } = await world(t, { KEY_ENCRYPTION_KEY: kek })
  const { code, stdout } = await cli(t, ['keys', 'list'], { DATABASE_URL: databaseUrl, KEY_ENCRYPTION_KEY: kek })
  t.equal(code, 0)
  const lines = stdout.trim().split('\n').map(line => line.split('\t'))
  const rows = await sql<{ use: string, kid: string, alg: string }>('SELECT use, kid, alg FROM signing_key ORDER BY slot, use')
  t.strictSame(lines.map(([use, kid, alg]) => `${use} ${kid} ${alg}`).sort(), rows.map(({ use, kid, alg }) => `${use} ${kid} ${alg}`).sort())
  t.strictSame(lines.map(line => line.at(-1)).sort(), ['next', 'next', 'next', 'signing', 'signing', 'signing'])
})

t.test('config print shows every setting in force and no secret, also one that came from a file', async t => {
  const secret = randomBytes(32).toString('base64')
  const file = join(await temporaryFolder(t), 'kek')
  await writeFile(file, `k:${secret}\n`)
  const { code, stdout, stderr } = await cli(t, ['config', 'print'], { DATABASE_URL: 'postgresql://app:hunter2@db.example.com/auth', KEY_ENCRYPTION_KEY_FILE: file, PORT: '4000' })
  t.equal(code, 0)
  t.match(stdout, /^PORT=4000$/m)
  t.match(stdout, /^PUBLIC_URL=http:\/\/localhost:4000$/m)
  t.match(stdout, /^DATABASE_URL=\(redacted\)$/m)
  t.match(stdout, /^KEY_ENCRYPTION_KEY=\(redacted\)$/m)
  for (const word of ['hunter2', secret]) t.notOk((stdout + stderr).includes(word))
})

t.test('config check lists every fault at once and repeats no secret', async t => {
  const { code, stderr } = await cli(t, ['config', 'check'], {
    DATABASE_URL: 'mysql://app:hunter2@db/auth', PORT: '70000', ACCESS_TOKEN_TTL_SECONDS: '86400', CORS_ORIGINS: 'https://app.example.com/', SIGNING_ALG: 'none', PUBLIC_URl: 'https://a.example.com',
  })
  t.equal(code, 1)
  for (const name of ['DATABASE_URL', 'PORT', 'ACCESS_TOKEN_TTL_SECONDS', 'CORS_ORIGINS', 'SIGNING_ALG', 'PUBLIC_URl']) t.match(stderr, new RegExp(`^  ${name} `, 'm'))
  t.notOk(stderr.includes('hunter2'))
  t.match(await cli(t, ['config', 'check'], { NODE_ENV: 'production', DATABASE_URL: 'postgresql://db/auth', KEY_ENCRYPTION_KEY: `k:${randomBytes(32).toString('base64')}`, PUBLIC_URL: 'https://auth.example.com', MAIL_URL: 'smtp://mail.example.com', MAIL_FROM: 'auth@example.com' }),
    { code: 0, stdout: 'The configuration is good.\n' })
})
