import { migrateUp, readMigrations } from '../src/db/migrate.ts'
import { migrationsFolder } from '../src/paths.ts'
import { onServer } from '../test/setup/database.ts'
import { row, type Benchmark, type Row } from './measure.ts'

/** What of each kind of row takes of the disk, indexes included, right after it was written: usual addresses, agents and hashes. */
export const sizes: Benchmark = async setting => {
  const count = setting.smoke ? 1_000 : 100_000
  const hash = `$argon2id$v=19$m=19456,t=2,p=1$${'A'.repeat(22)}$${'B'.repeat(43)}`
  const agent = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36'
  // Ids rise with time, as ours do, so their indexes are dense.
  const id = "(lpad(to_hex(1700000000000 + g), 12, '0') || '7' || substr(md5(g::text), 1, 3) || '8' || substr(md5(g::text), 4, 15))::uuid"
  const series = `FROM generate_series(1, ${count}) g`
  const kinds: Record<string, { tables: string[], sql: string[] }> = {
    'a user with a password': {
      tables: ['users', 'credential'],
      sql: [`INSERT INTO users (id, email, email_verified_at, status) SELECT ${id}, 'someone.usual-' || g || '@sizes.example', now(), 1 ${series}`,
        `INSERT INTO credential (user_id, password_hash) SELECT id, '${hash}' FROM users WHERE email LIKE '%@sizes.example'`],
    },
    'a session that refreshed': { tables: ['refresh_spent'], sql: [`INSERT INTO refresh_spent (sid, gen, spent_at) SELECT ${id}, 5, now() ${series}`] },
    'an event of the audit trail': {
      tables: ['audit_event'],
      sql: [`INSERT INTO audit_event (id, type, outcome, actor, user_id, sid, address_prefix, user_agent, data)
        SELECT ${id}, 'session.started', 'success', 'user:' || u, u, gen_random_uuid(), '203.0.113.0/24', '${agent}', '{"amr": ["pwd"]}' FROM (SELECT g, gen_random_uuid() AS u ${series}) users`],
    },
    'an ending': { tables: ['revocation'], sql: [`INSERT INTO revocation (kind, id, val, expires_at) SELECT 's', decode(substr(md5(g::text), 1, 24), 'hex'), 0, now() + interval '720 s' ${series}`] },
  }
  await migrateUp(setting.databaseUrl, await readMigrations(migrationsFolder))
  const rows: Row[] = []
  for (const [label, { tables, sql }] of Object.entries(kinds)) {
    rows.push(row(label, 'bytes', [await onServer(setting.databaseUrl, async client => {
      const total = async () => (await client.query<{ bytes: number }>('SELECT sum(pg_total_relation_size(name::regclass))::float8 AS bytes FROM unnest($1::text[]) AS name', [tables])).rows[0]!.bytes
      const before = await total()
      for (const statement of sql) await client.query(statement)
      return (await total() - before) / count
    })]))
  }
  return { name: 'sizes', rows, ratios: {} }
}
