import { randomBytes, randomUUID } from 'node:crypto'
import t from 'tap'
import { uuidv7 } from '../../src/lib/ids.ts'
import { cli, refusedBecause } from '../helpers/cli.ts'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { world } from '../helpers/world.ts'

const lines = (stdout: string) => stdout.trim().split('\n').filter(Boolean).map(line => JSON.parse(line) as Record<string, unknown>)
const KEK = `k:${randomBytes(32).toString('base64')}`

t.test('audit export prints every event once, oldest first, and what the command line did among them', async t => {
  const w = await world(t, { KEY_ENCRYPTION_KEY: KEK })
  const env = { DATABASE_URL: w.databaseUrl, KEY_ENCRYPTION_KEY: KEK }
  const { id, email } = await w.signUp()
  const { access_token: token } = await w.signIn(email)
  await w.call('POST', '/v1/auth/logout', { bearer: token })
  const { stdout: made } = await cli(t, ['clients', 'create', '--name', 'Billing', '--scope', 'a b'], env)
  const clientId = /client_id=(\S+)/.exec(made)![1]!
  const [{ kid }] = await w.sql<{ kid: string }>('SELECT kid FROM signing_key WHERE use = \'at\' ORDER BY slot LIMIT 1') as [{ kid: string }]
  for (const command of [['clients', 'delete', clientId], ['keys', 'revoke', kid], ['users', 'disable', '--email', email], ['sessions', 'revoke-all']]) t.equal((await cli(t, command, env)).code, 0, command.join(' '))

  const { code, stdout, stderr } = await cli(t, ['audit', 'export'], env)
  t.strictSame([code, stderr], [0, ''])
  const events = lines(stdout)
  const rows = await w.sql('SELECT id FROM audit_event ORDER BY id')
  t.strictSame(events.map(event => event['id']), rows.map(row => row['id']))
  const nobody = { user_id: null, sid: null, address_prefix: null, user_agent: null, outcome: 'success', actor: 'cli' }
  const byCommand = events.filter(({ actor }) => actor === 'cli').map(({ id: _id, at, ...rest }) => { t.match(at, /^\d{4}-.*Z$/); return rest })
  t.strictSame(byCommand, [
    { ...nobody, type: 'client.created', data: { scopes: ['a', 'b'], client_id: clientId } },
    { ...nobody, type: 'client.deleted', data: { client_id: clientId } },
    { ...nobody, type: 'key.revoked', data: { kid } },
    { ...nobody, type: 'account.disabled', user_id: id, data: {} },
    { ...nobody, type: 'everything.revoked', data: {} },
  ])
  t.notOk(stdout.includes(/client_secret=(\S+)/.exec(made)![1]!))

  const own = lines((await cli(t, ['audit', 'export', '--user', email.toUpperCase()], env)).stdout)
  t.ok(own.length >= 3 && own.every(event => event['user_id'] === id))
  t.strictSame(lines((await cli(t, ['audit', 'export', '--user', id], env)).stdout), own, 'by id, as after the account is gone')
  t.strictSame(lines((await cli(t, ['audit', 'export', '--user', randomUUID()], env)).stdout), [])
  refusedBecause(t, await cli(t, ['audit', 'export', '--user', 'nobody@example.com'], env), /There is no account with the address nobody@example\.com/)
})

t.test('exports that begin where the last one ended have every event once, over any number of pages', async t => {
  const url = await freshDatabase(t)
  const sql = await sqlTo(t, url)
  const env = { DATABASE_URL: url, KEY_ENCRYPTION_KEY: KEK }
  const start = Date.parse('2026-01-01T00:00:00Z')
  const events = Array.from({ length: 5_000 }, (_, at) => ({ id: uuidv7(start + at * 1_000), at: new Date(start + at * 1_000).toISOString() }))
  await sql('INSERT INTO audit_event (id, at, type, outcome, actor) SELECT (e->>\'id\')::uuid, (e->>\'at\')::timestamptz, \'session.started\', \'success\', \'system\' FROM jsonb_array_elements($1) e', [JSON.stringify(events)])
  const exported = async (...args: string[]) => { const { code, stdout } = await cli(t, ['audit', 'export', ...args], env); t.equal(code, 0); return lines(stdout).map(event => event['id']) }
  const cuts = ['2026-01-01T00:20:00Z', '2026-01-01T00:50:00+00:00']
  const parts = [await exported('--until', cuts[0]!), await exported('--since', cuts[0]!, '--until', cuts[1]!), await exported('--since', cuts[1]!)]
  t.strictSame(parts.map(part => part.length), [1_200, 1_800, 2_000])
  t.ok(parts.flat().join() === events.map(({ id }) => id).join(), 'in order, none missing')
  t.equal((await exported('--since', '2026-01-02')).length, 0)
  for (const time of ['yesterday', '2026-13-01', '1', '', '2026-01-01 00:00']) refusedBecause(t, await cli(t, ['audit', 'export', '--since', time], env), /is no time; write/)
  for (const args of [['audit'], ['audit', 'delete'], ['audit', 'export', '--all'], ['audit', 'export', 'x']]) t.equal((await cli(t, args, env)).code, 2, args.join(' '))
})
