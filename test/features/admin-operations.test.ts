import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { decodeProtectedHeader } from 'jose'
import t from 'tap'
import { BOUNDS } from '../../src/core/state/bounds.ts'
import { cli } from '../helpers/cli.ts'
import { operatorOf } from '../helpers/operator.ts'
import { world } from '../helpers/world.ts'

t.test('who is no administrator, or is one no longer, gets nothing of this', async t => {
  const w = await world(t)
  const { id, bearer } = await operatorOf(w)
  const { access_token: user } = await w.signIn()
  const requests = [['GET', '/v1/admin/clients'], ['POST', '/v1/admin/clients'], ['GET', '/v1/admin/keys'], ['POST', '/v1/admin/keys/rotate'], ['POST', '/v1/admin/keys/x/revoke'], ['POST', '/v1/admin/revoke-all'], ['GET', '/v1/admin/audit-events'], ['GET', '/v1/admin/state']] as const
  const kept = 'SELECT (SELECT count(*)::int FROM client) AS clients, (SELECT count(*)::int FROM signing_key) AS keys, (SELECT count(*)::int FROM revocation) AS endings'
  const before = await w.sql(kept)
  for (const [method, path] of requests) t.equal((await w.call(method, path, { bearer: user })).json().code, 'insufficient_scope', path)
  await w.sql('UPDATE users SET roles = \'{}\' WHERE id = $1', [id])
  for (const [method, path] of requests) t.equal((await w.call(method, path, { bearer })).json().code, 'insufficient_scope', `${path} with a token from when it was one`)
  t.strictSame(await w.sql(kept), before)
})

t.test('an operator sees the keys and nothing that signs, rotates them and revokes one', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  const { id, bearer } = await operatorOf(w)
  const list = async (node: Pick<typeof w, 'call'> = w) => (await node.call('GET', '/v1/admin/keys', { bearer })).json().items as { use: string, kid: string, state: string }[]
  const before = await list()
  t.strictSame(before.map(({ use, state }) => `${use} ${state}`).sort(), ['at next', 'at signing', 'ft next', 'ft signing', 'rt next', 'rt signing'])
  t.notMatch(JSON.stringify(before), /private|enc|secret|"d"/)

  const answers = await Promise.all([w, other, w].map(async node => await node.call('POST', '/v1/admin/keys/rotate', { bearer })))
  const [rotated] = answers.map(answer => answer.json())
  for (const answer of answers) t.strictSame([answer.statusCode, answer.json()], [200, rotated], 'three at once, and on two nodes, are one')
  t.equal((await list()).find(({ kid }) => kid === rotated.kid)?.state, 'waiting')
  const jwks = (await w.call('GET', '/.well-known/jwks.json')).json().keys as { kid: string }[]
  t.ok(jwks.some(({ kid }) => kid === rotated.kid) && before.filter(({ use }) => use === 'at').every(({ kid }) => jwks.some(key => key.kid === kid)), 'the key set has the new ones and the old ones')
  await w.sql('UPDATE signing_key SET created_at = created_at - interval \'10 minutes\'')
  t.equal((await list(other)).find(({ kid }) => kid === rotated.kid)?.state, 'signing')

  const { kid } = decodeProtectedHeader(bearer)
  t.equal((await w.call('POST', '/v1/admin/keys/nobodys/revoke', { bearer })).statusCode, 404)
  const { access_token: victim } = await w.signIn()
  t.equal((await w.call('POST', `/v1/admin/keys/${kid}/revoke`, { bearer })).statusCode, 204)
  for (const token of [victim, bearer]) t.equal((await w.verify(token)).statusCode, 401, 'what it signed is refused here at once, the caller too')
  const again = await operatorOf(w)
  t.not(decodeProtectedHeader(again.bearer).kid, kid)
  t.equal((await w.call('GET', '/v1/admin/keys', { bearer: again.bearer })).json().items.find((key: { kid: string }) => key.kid === kid).state, 'revoked')
  t.strictSame(await w.sql('SELECT type, actor FROM audit_event WHERE type LIKE \'key.%\' ORDER BY type'), [{ type: 'key.rotated', actor: `admin:${id}` }, { type: 'key.revoked', actor: `admin:${id}` }].sort((a, b) => a.type < b.type ? -1 : 1))
})

t.test('the breach button ends every session, the caller’s own too, and people can sign in again', async t => {
  const w = await world(t)
  const { id, email, bearer } = await operatorOf(w)
  const victim = await w.signIn()
  t.equal((await w.call('POST', '/v1/admin/revoke-all', { bearer })).statusCode, 204)
  t.equal((await w.verify(victim.access_token)).statusCode, 401)
  t.equal((await w.refresh(victim.refresh_token)).statusCode, 401)
  t.equal((await w.call('POST', '/v1/admin/revoke-all', { bearer })).statusCode, 401)
  await new Promise(resolve => setTimeout(resolve, 1_100)) // what was issued in that second is refused too
  t.equal((await w.verify((await w.signIn(email)).access_token)).statusCode, 200)
  t.strictSame(await w.sql('SELECT actor FROM audit_event WHERE type = \'everything.revoked\''), [{ actor: `admin:${id}` }])
})

t.test('what happened is read newest first, page by page, by whom, what and when', async t => {
  const w = await world(t)
  const { id, bearer } = await operatorOf(w)
  for (let i = 0; i < 5; i++) await w.call('POST', '/v1/admin/clients', { bearer, body: { name: `client ${i}` } })
  const read = async (query: string) => (await w.call('GET', `/v1/admin/audit-events?${query}`, { bearer, headers: { 'user-agent': 'tap' } })).json() as { items: Record<string, any>[], next: string | null, code?: string }
  const all = await read('type=client.created')
  t.equal(all.items.length, 5)
  t.match(all.items[0], { type: 'client.created', outcome: 'success', actor: `admin:${id}`, address_prefix: '127.0.0.0/24', user_id: null })
  t.strictSame(all.items.map(({ id }) => id), all.items.map(({ id }) => id).sort().reverse())
  const first = await read('type=client.created&limit=3')
  await w.call('POST', '/v1/admin/clients', { bearer, body: { name: 'in between' } })
  const second = await read(`type=client.created&limit=3&cursor=${first.next}`)
  t.strictSame([...first.items, ...second.items], all.items, 'stable while more is written')
  t.equal(second.next, null)
  t.equal((await read(`limit=3&cursor=${first.next}`)).code, 'invalid_cursor', 'of another filter')
  t.strictSame((await read(`user_id=${id}&type=client.deleted`)).items, [])
  const middle = all.items[2]!['at']
  const between = await read(`type=client.created&since=${middle}&until=${new Date(Date.parse(middle) + 3_600_000).toISOString()}`)
  t.ok(between.items.length >= 3 && between.items.every(({ at }) => at >= middle))
  for (const query of ['since=yesterday', 'since=0001-01-01T00:00:00Z', 'until=2026-02-31', 'type=nothing', 'user_id=1', 'limit=0', 'limit=101', 'cursor=x', 'since=2026-01-01T00:00:00Z&since=2026-01-02T00:00:00Z', 'who=me']) {
    t.match([query, (await read(query)).code], [query, /^invalid_(request|cursor)$/])
  }
})

t.test('the ledger has every table that there is, and shows each within its bound', async t => {
  const w = await world(t)
  const { bearer } = await operatorOf(w)
  const inSchema = (await w.sql<{ name: string }>('SELECT relname::text AS name FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN (\'r\', \'p\') AND nspname NOT IN (\'pg_catalog\', \'information_schema\', \'pgboss\') ORDER BY 1')).map(({ name }) => name)
  t.strictSame(Object.keys(BOUNDS).filter(table => table !== 'pgboss').sort(), inSchema.sort())
  const page = readFileSync('docs/state.md', 'utf8')
  t.strictSame(Object.keys(BOUNDS).filter(table => !page.includes(`| \`${table}\` |`)), [], 'docs/state.md has a row for each')

  const { tables, bytes } = (await w.call('GET', '/v1/admin/state', { bearer })).json() as { tables: { table: string, rows: number, rows_allowed: number | null, rows_overdue: number | null, bytes: number }[], bytes: number }
  t.strictSame(tables.map(({ table }) => table), Object.keys(BOUNDS))
  for (const { table, rows, rows_allowed: allowed, rows_overdue: overdue } of tables) t.ok(rows <= (allowed ?? Infinity) && !overdue, table)
  t.match(tables.find(({ table }) => table === 'signing_key'), { rows: 6, rows_allowed: 6 })
  t.match(tables.find(({ table }) => table === 'users'), { rows: 1, rows_exact: true })
  t.equal(bytes, tables.reduce((sum, { bytes }) => sum + bytes, 0))

  await w.sql('INSERT INTO revocation (kind, id, expires_at) VALUES (\'s\', \'\\x01\', now() - interval \'1 day\')')
  await w.sql('INSERT INTO refresh_spent (sid, gen, spent_at) VALUES (\'01000000-0000-7000-8000-000000000000\', 1, now())')
  await w.sql('INSERT INTO users (id, email) SELECT gen_random_uuid(), \'u\' || i FROM generate_series(1, 12000) i')
  await w.sql('ANALYZE users')
  const later = (await w.call('GET', '/v1/admin/state', { bearer })).json().tables as typeof tables
  t.match(later.find(({ table }) => table === 'revocation'), { rows_overdue: 1 }, 'what a purge has missed is seen')
  t.match(later.find(({ table }) => table === 'refresh_spent'), { rows_overdue: 1 })
  t.match(later.find(({ table }) => table === 'users'), { rows_exact: false, rows: 12_001 })
  const { code, stdout } = await cli(t, ['state'], { DATABASE_URL: w.databaseUrl, KEY_ENCRYPTION_KEY: `k:${randomBytes(32).toString('base64')}` })
  t.equal(code, 0)
  t.match(stdout, /^users\t~12001\t\d+\t-\tusers$/m)
  t.equal(stdout.trim().split('\n').length, Object.keys(BOUNDS).length + 1)
})
