import t from 'tap'
import { freshDatabase, sqlTo } from '../helpers/database.ts'

/** What Prisma's diff does not see. One query each, so that a change to any of them has to be made here too. */
const questions = {
  constraints: `SELECT conrelid::regclass::text AS "table", pg_get_constraintdef(oid) AS definition FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND contype NOT IN ('p', 'n') ORDER BY 1, 2`,
  storage: `SELECT relname AS "table", array_to_string(reloptions, ', ') AS options FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND (reloptions IS NOT NULL OR relpersistence <> 'p') ORDER BY 1`,
  'one-byte columns': `SELECT attrelid::regclass::text AS "table", attname AS "column" FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE atttypid = '"char"'::regtype AND relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1, 2`,
  defaults: `SELECT adrelid::regclass::text || '.' || attname AS "column", pg_get_expr(adbin, adrelid) AS value FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
    JOIN pg_class ON pg_class.oid = adrelid WHERE relnamespace = 'public'::regnamespace AND relname <> '_prisma_migrations' ORDER BY 1`,
  'partial and expression indexes': `SELECT indexrelid::regclass::text AS "index" FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
    WHERE relnamespace = 'public'::regnamespace AND (indpred IS NOT NULL OR indexprs IS NOT NULL) ORDER BY 1`,
  'triggers, rules and functions': `SELECT tgname::text AS name FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT rulename FROM pg_rewrite JOIN pg_class ON pg_class.oid = ev_class WHERE relnamespace = 'public'::regnamespace`,
  sequences: 'SELECT relname FROM pg_class WHERE relnamespace = \'public\'::regnamespace AND relkind = \'S\'',
}

const expected: Record<keyof typeof questions, object[]> = {
  constraints: [
    { table: 'audit_event', definition: "CHECK ((outcome = ANY (ARRAY['success'::text, 'failure'::text])))" },
    { table: 'client', definition: 'CHECK (((secret_digest IS NULL) <> (jwks IS NULL)))' },
    { table: 'signing_key', definition: "CHECK ((use = ANY (ARRAY['at'::text, 'rt'::text, 'ft'::text])))" },
    { table: 'users', definition: 'CHECK ((status = ANY (ARRAY[1, 2])))' },
  ],
  // rate_limit is UNLOGGED.
  storage: [{ table: 'rate_limit', options: null }, { table: 'refresh_spent', options: 'fillfactor=80, autovacuum_vacuum_scale_factor=0.05' }],
  'one-byte columns': [{ table: 'revocation', column: 'kind' }],
  defaults: [
    ['audit_event.at', 'now()'],
    ['audit_event.data', "'{}'::jsonb"],
    ['client.created_at', 'now()'],
    ['client.scopes', 'ARRAY[]::text[]'],
    ['credential.changed_at', 'now()'],
    ['credential.fail_known', '0'],
    ['credential.fail_unknown', '0'],
    ['installation.created_at', 'now()'],
    ['installation.id', 'gen_random_uuid()'],
    ['installation.max_access_token_seconds', '0'],
    ['installation.max_session_seconds', '0'],
    ['rate_limit.points', '0'],
    ['refresh_spent.burst', '0'],
    ['refresh_spent.late', '0'],
    ['revocation.created_at', 'now()'],
    ['revocation.val', '0'],
    ['revocation.xid', 'pg_current_xact_id()'],
    ['signing_key.created_at', 'now()'],
    ['signing_key.rev', '0'],
    ['users.claims', "'{}'::jsonb"],
    ['users.created_at', 'now()'],
    ['users.epoch', '1'],
    ['users.profile', "'{}'::jsonb"],
    ['users.roles', 'ARRAY[]::text[]'],
    ['users.status', '1'],
    ['users.updated_at', 'now()'],
  ].map(([column, value]) => ({ column, value })),
  'partial and expression indexes': ['audit_event_brief', 'users_list', 'users_roles', 'users_unverified'].map(index => ({ index })),
  'triggers, rules and functions': [],
  sequences: [],
}

type Question = keyof typeof questions
const all = Object.keys(questions) as Question[]

t.test('the tables have the checks, fillfactors and defaults that the hand-written migrations give them', async t => {
  const sql = await sqlTo(t, await freshDatabase(t))
  for (const what of all) t.strictSame(await sql(questions[what]), expected[what], what)
})

t.test('a change by hand to any of these is noticed', async t => {
  const sql = await sqlTo(t, await freshDatabase(t))
  const plants: Record<Question, string> = {
    constraints: 'ALTER TABLE users DROP CONSTRAINT users_status_known',
    storage: 'ALTER TABLE users SET UNLOGGED',
    'one-byte columns': 'ALTER TABLE revocation ALTER COLUMN kind TYPE char(1)',
    defaults: 'ALTER TABLE revocation ALTER COLUMN xid SET DEFAULT \'0\'::xid8',
    'partial and expression indexes': 'CREATE INDEX planted ON users (lower(email))',
    'triggers, rules and functions': 'CREATE FUNCTION planted() RETURNS int LANGUAGE sql AS \'SELECT 1\'',
    sequences: 'CREATE SEQUENCE planted_sequence',
  }
  for (const what of all) {
    await sql(plants[what])
    const answer = await sql(questions[what])
    t.notSame(answer, expected[what], what)
  }
})

t.test('the database itself refuses a client with two proofs or none', async t => {
  const sql = await sqlTo(t, await freshDatabase(t))
  for (const [digest, jwks] of [[null, null], [Buffer.alloc(32), '{}']]) await t.rejects(sql('INSERT INTO client (id, name, secret_digest, jwks) VALUES (gen_random_uuid(), \'a\', $1, $2)', [digest, jwks]), { code: '23514' })
})

t.test('the database itself refuses a status or a use that the code does not know', async t => {
  const sql = await sqlTo(t, await freshDatabase(t))
  await t.rejects(sql('INSERT INTO users (id, email, status) VALUES (gen_random_uuid(), \'a\', 3)'), { code: '23514' })
  await t.rejects(sql('INSERT INTO signing_key (use, slot, kid, alg, private_enc, kek_id) VALUES (\'xx\', 1, \'k\', \'ES256\', \'\', \'k\')'), { code: '23514' })
})
