import pg from 'pg'
import t from 'tap'
import { fileURLToPath } from 'node:url'
import { newAdmin } from '../helpers/admin.ts'
import { send, SHARED_KEK, startProcess } from '../helpers/processes.ts'
import { until } from '../helpers/until.ts'
import { world, type World } from '../helpers/world.ts'

const dies = fileURLToPath(new URL('../helpers/die-before-answer.ts', import.meta.url))
const effects = async ({ sql }: World) => (await sql(`SELECT (SELECT count(*)::int FROM users WHERE email = 'ada@mail.test') AS users,
  (SELECT count(*)::int FROM pgboss.job WHERE name = 'email' AND data->>'kind' = 'invitation') AS mails,
  (SELECT count(*)::int FROM audit_event WHERE type = 'account.created' AND actor LIKE 'admin:%') AS events,
  (SELECT count(*)::int FROM idempotency) AS kept`))[0]
const body = { email: 'ada@mail.test', name: 'Ada' }
const headers = { 'idempotency-key': '8e03978e-40d5-43dd-bc93-6894a57f9324' }

t.test('four requests with one key on two nodes create one user, invited once, and all hear the same', async t => {
  const w = await world(t)
  const [admin, eve, other] = [await newAdmin(w), await newAdmin(w), await w.anotherNode()]
  const answers = await Promise.all([w, other, w, other].map(async at => await admin.call('POST', '/users', body, { headers, at })))
  t.strictSame(answers.map(({ statusCode }) => statusCode), [201, 201, 201, 201])
  t.equal(new Set(answers.map(({ body }) => body)).size, 1)
  t.equal(answers.filter(answer => answer.headers['idempotency-replayed'] === 'true').length, 3)
  t.strictSame(await effects(w), { users: 1, mails: 1, events: 1, kept: 1 })
  t.match((await admin.call('POST', '/users', { ...body, name: 'Eve' }, { headers, at: other })).json(), { status: 422, code: 'idempotency_key_reused' })
  t.match((await eve.call('POST', '/users', body, { headers })).json(), { status: 409, code: 'email_taken' }, 'the key of somebody else is another key')
  t.match((await admin.call('POST', '/users', body)).json(), { code: 'email_taken' }, 'without a key it is another request')
  // A refusal is no effect: mended, the request may come with the same key.
  const second = { 'idempotency-key': 'second' }
  t.equal((await admin.call('POST', '/users', { email: 'ada@mail.test' }, { headers: second })).statusCode, 409)
  t.equal((await admin.call('POST', '/users', { email: 'eve@mail.test' }, { headers: second })).statusCode, 201)
  for (const key of ['', ' ', 'a b', 'x'.repeat(256), 'é', 'a, b']) t.equal((await admin.call('POST', '/users', body, { headers: { 'idempotency-key': key } })).statusCode, 400, `the key ${JSON.stringify(key).slice(0, 20)}`)
})

t.test('a node that is killed in the middle of creating a user leaves nothing behind, and the retry on another creates exactly one', async t => {
  const w = await world(t, { KEY_ENCRYPTION_KEY: SHARED_KEK })
  const admin = await newAdmin(w)
  const node = await startProcess(t, w.databaseUrl)
  // Whoever comes now has created the user, and waits within the transaction to write it down.
  const holder = new pg.Client(w.databaseUrl)
  await holder.connect()
  t.teardown(async () => await holder.end())
  await holder.query('BEGIN; LOCK TABLE audit_event IN SHARE MODE')
  const lost = send(node.url, 'POST', '/v1/admin/users', { body, headers, bearer: admin.tokens.access_token }).catch(() => 'lost')
  await until(async () => (await w.sql("SELECT FROM pg_locks WHERE NOT granted AND relation = 'audit_event'::regclass")).length === 1)
  await node.stop('SIGKILL')
  t.equal(await lost, 'lost')
  await holder.query('ROLLBACK')
  await until(async () => (await admin.call('POST', '/users', body, { headers })).statusCode === 201)
  t.strictSame(await effects(w), { users: 1, mails: 1, events: 1, kept: 1 })
})

t.test('a node that dies between commit and answer: the retry on another hears what it would have said', async t => {
  const w = await world(t, { KEY_ENCRYPTION_KEY: SHARED_KEK })
  const admin = await newAdmin(w)
  const node = await startProcess(t, w.databaseUrl, { preload: dies, env: { TEST_DIES_ANSWERING: 'POST /v1/admin/users' } })
  await t.rejects(send(node.url, 'POST', '/v1/admin/users', { body, headers, bearer: admin.tokens.access_token }))
  t.strictSame(await effects(w), { users: 1, mails: 1, events: 1, kept: 1 })
  const again = await admin.call('POST', '/users', body, { headers })
  t.match([again.statusCode, again.headers['idempotency-replayed'], again.json()], [201, 'true', { email: 'ada@mail.test', name: 'Ada' }])
  t.strictSame((await admin.call('GET', `/users/${again.json().id}`)).json(), again.json())
  t.strictSame(await effects(w), { users: 1, mails: 1, events: 1, kept: 1 })
})

t.test('a node that dies having made a client: the retry hears of the same one, without the secret that nobody received', async t => {
  const w = await world(t, { KEY_ENCRYPTION_KEY: SHARED_KEK })
  const admin = await newAdmin(w)
  const node = await startProcess(t, w.databaseUrl, { preload: dies, env: { TEST_DIES_ANSWERING: 'POST /v1/admin/clients' } })
  await t.rejects(send(node.url, 'POST', '/v1/admin/clients', { body: { name: 'billing' }, headers, bearer: admin.tokens.access_token }))
  const [client] = await w.sql<{ id: string }>('SELECT id::text FROM client')
  const again = await admin.call('POST', '/clients', { name: 'billing' }, { headers })
  t.match([again.statusCode, again.headers['idempotency-replayed'], again.json()], [201, 'true', { id: client!.id, name: 'billing', client_secret: null }])
  t.strictSame(await w.sql("SELECT count(*)::int AS clients, (SELECT count(*)::int FROM audit_event WHERE type = 'client.created') AS events FROM client"), [{ clients: 1, events: 1 }])
  t.equal((await admin.call('DELETE', `/clients/${client!.id}`)).statusCode, 204, 'so it is made anew')
  t.type((await admin.call('POST', '/clients', { name: 'billing' }, { headers: { 'idempotency-key': 'anew' } })).json().client_secret, 'string')
})
