import { globSync, readFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { decodeJwt } from 'jose'
import t from 'tap'
import { newClient, post } from '../helpers/oauth.ts'
import { startProcess, SHARED_KEK } from '../helpers/processes.ts'
import { world, type World } from '../helpers/world.ts'

type Row = { type: string, outcome: string, actor: string, user_id: string | null, sid: string | null, address_prefix: string | null, user_agent: string | null, data: Record<string, unknown> }

/** What is written from now on, of the types given. */
const watch = async ({ sql }: World) => {
  const known = new Set((await sql<{ id: string }>('SELECT id FROM audit_event')).map(({ id }) => id))
  return async (): Promise<Row[]> => (await sql<Row & { id: string }>('SELECT id, type, outcome, actor, user_id, sid, address_prefix, user_agent, data FROM audit_event ORDER BY at, id'))
    .filter(({ id }) => !known.has(id)).map(({ id, ...row }) => row)
}
const PROGRAM = { headers: { 'user-agent': 'test/1' }, remoteAddress: '198.51.100.77' }
const SEEN = { address_prefix: '198.51.100.0/24', user_agent: 'test/1' }
const letPass = async ({ sql }: World, seconds: number) => { await sql('UPDATE refresh_spent SET spent_at = spent_at - make_interval(secs => $1)', [seconds]) }
const mails = async ({ sql }: World, id: string) => (await sql('SELECT data->>\'kind\' AS kind FROM pgboss.job WHERE data->>\'user_id\' = $1', [id])).map(({ kind }) => kind)

t.test('each ending is recorded once, with who did it and from where, however often it is asked for', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  const { id, email } = await w.signUp()
  const sidOf = (token: string) => decodeJwt(token)['sid'] as string
  const twice = async (ask: (node: Pick<World, 'call'>) => Promise<{ statusCode: number }>) => {
    const recorded = await watch(w)
    for (const { statusCode } of await Promise.all([ask(w), ask(other), ask(w)])) t.ok(statusCode < 300, `${statusCode}`)
    await ask(other)
    return await recorded()
  }
  const ended = (sid: string, actor = `user:${id}`) => [{ type: 'session.ended', outcome: 'success', actor, user_id: id, sid, ...SEEN, data: {} }]

  const a = await w.signIn(email)
  t.strictSame(await twice(async ({ call }) => await call('POST', '/v1/auth/logout', { body: { refresh_token: a.refresh_token }, ...PROGRAM })), ended(sidOf(a.access_token)), 'by refresh token')
  const b = await w.signIn(email)
  t.strictSame(await twice(async ({ call }) => await call('POST', '/v1/auth/logout', { bearer: b.access_token, ...PROGRAM })), ended(sidOf(b.access_token)), 'by access token')
  const c = await w.signIn(email)
  t.strictSame(await twice(async ({ call }) => await call('POST', '/oauth2/revoke', { body: `token=${c.refresh_token}`, ...PROGRAM, headers: { ...PROGRAM.headers, 'content-type': 'application/x-www-form-urlencoded' } })), ended(sidOf(c.access_token)), 'by whoever holds a token')

  const d = await w.signIn(email)
  const recorded = await watch(w)
  t.equal((await w.call('POST', '/v1/auth/logout-all', { bearer: d.access_token, ...PROGRAM })).statusCode, 204)
  t.strictSame(await recorded(), [{ type: 'sessions.ended', outcome: 'success', actor: `user:${id}`, user_id: id, sid: null, ...SEEN, data: {} }])

  const client = await newClient(w)
  const theirs = await w.signIn(email)
  const before = await watch(w)
  t.equal((await post(w, '/oauth2/revoke', { token: theirs.access_token }, { basic: client })).json().error, 'unauthorized_client')
  await w.call('POST', '/v1/auth/logout', { body: { refresh_token: 'x' } })
  await w.call('POST', '/v1/auth/logout')
  t.strictSame(await before(), [], 'what ended nothing is no event')
})

t.test('a theft is recorded and its victim told, once, however many requests bring it to light', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  for (let round = 0; round < 3; round++) {
    const { id, email } = await w.signUp()
    const first = await w.signIn(email)
    await w.refresh((await w.refresh(first.refresh_token)).json().refresh_token)
    const recorded = await watch(w)
    const answers = await Promise.all([w, other, w, other, w].map(async node => await node.call('POST', '/v1/auth/refresh', { body: { refresh_token: first.refresh_token }, ...PROGRAM })))
    t.strictSame(answers.map(({ statusCode }) => statusCode), answers.map(() => 401))
    t.strictSame(await recorded(), [{ type: 'session.reused', outcome: 'failure', actor: 'anonymous', user_id: id, sid: decodeJwt(first.access_token)['sid'], ...SEEN, data: { gen: 1 } }])
    t.strictSame((await mails(w, id)).filter(kind => kind === 'session_reused'), ['session_reused'])
  }
})

t.test('a refresh in time is no event; one that came later than the grace is one, and its repetitions are not', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  const { id, email } = await w.signUp()
  const { refresh_token: token, access_token: access } = await w.signIn(email)
  const recorded = await watch(w)
  const spend = async () => await Promise.all([w, other, w, other].map(async node => await node.call('POST', '/v1/auth/refresh', { body: { refresh_token: token }, ...PROGRAM })))
  const late = { type: 'session.refreshed_late', outcome: 'success', actor: `user:${id}`, user_id: id, sid: decodeJwt(access)['sid'], ...SEEN, data: { gen: 1 } }
  for (let times = 0; times < 4; times++) {
    const answers = await spend()
    t.strictSame(answers.map(({ statusCode }) => statusCode), answers.map(() => 200))
    t.equal(new Set(answers.map(answer => answer.json().refresh_token)).size, 1, 'one successor')
    t.strictSame(await recorded(), Array.from({ length: times }, () => late), `${times} times late`)
    await letPass(w, 3_600)
  }
  t.ok((await spend()).every(({ statusCode }) => statusCode === 401), 'the credits are spent')
  t.match((await recorded()).map(({ type }) => type), ['session.refreshed_late', 'session.refreshed_late', 'session.refreshed_late', 'session.reused'])
})

t.test('without a grace each return is late, and each is recorded', async t => {
  const w = await world(t, { REFRESH_GRACE_SECONDS: '0' })
  const { refresh_token: token } = await w.signIn()
  const recorded = await watch(w)
  for (let times = 0; times < 4; times++) t.equal((await w.refresh(token)).statusCode, 200)
  t.strictSame((await recorded()).map(({ type }) => type), Array.from({ length: 3 }, () => 'session.refreshed_late'))
})

t.test('what a node has done it has recorded, also when it dies before it answers, and what was recorded was done', async t => {
  const w = await world(t, { KEY_ENCRYPTION_KEY: SHARED_KEK, PUBLIC_URL: 'http://localhost:3000' })
  const { id, email } = await w.signUp()
  const [out, stolen, late, all] = [await w.signIn(email), await w.signIn(email), await w.signIn(email), await w.signIn(email)]
  await w.refresh((await w.refresh(stolen.refresh_token)).json().refresh_token)
  await w.refresh(late.refresh_token)
  await letPass(w, 3_600)
  const preload = new URL('../helpers/die-before-answer.ts', import.meta.url).href
  const cases: [string, object, string][] = [
    ['/v1/auth/refresh', { body: { refresh_token: late.refresh_token } }, 'session.refreshed_late'],
    ['/v1/auth/refresh', { body: { refresh_token: stolen.refresh_token } }, 'session.reused'],
    ['/v1/auth/logout', { body: { refresh_token: out.refresh_token } }, 'session.ended'],
    ['/v1/auth/logout-all', { bearer: all.access_token }, 'sessions.ended'],
  ]
  // One after the other: each begins with what the one before left.
  for (const [path, { body, bearer }, type] of cases as [string, { body?: object, bearer?: string }, string][]) {
    const recorded = await watch(w)
    const dying = await startProcess(t, w.databaseUrl, { env: { TEST_DIES_ANSWERING: `POST ${path}` }, preload })
    await t.rejects(fetch(`${dying.url}${path}`, {
      method: 'POST', headers: { ...(body && { 'content-type': 'application/json' }), ...(bearer && { authorization: `Bearer ${bearer}` }) }, ...(body && { body: JSON.stringify(body) }),
    }), path)
    t.strictSame((await recorded()).map(row => row.type), [type])
    if (path === '/v1/auth/logout-all') continue // it cannot be asked again: its token has ended
    await w.call('POST', path, { body: body! })
    t.strictSame((await recorded()).map(row => row.type), [type], 'asking again elsewhere records nothing more')
  }
  t.strictSame((await mails(w, id)).filter(kind => kind === 'session_reused'), ['session_reused'])
})

t.test('neither the trail nor the log holds anything that signs in, whatever a user did', async t => {
  const w = await world(t)
  const canary = randomBytes(8).toString('hex')
  const password = `canary ${canary} pass phrase`
  const email = `${canary}@example.com`
  await w.call('POST', '/v1/auth/register', { body: { email, password, name: 'Ada' } })
  await w.call('POST', '/v1/auth/login', { body: { email, password: `${password} wrong` } })
  const first = (await w.call('POST', '/v1/auth/login', { body: { email, password, refresh: 'body' }, headers: { 'user-agent': `agent ${'x'.repeat(5_000)}` } })).json()
  const second = (await w.refresh(first.refresh_token)).json()
  await w.call('PATCH', '/v1/me', { bearer: second.access_token, body: { profile: { diary: `secret ${canary}` } } })
  const changed = (await w.call('POST', '/v1/me/password', { bearer: second.access_token, body: { current_password: password, new_password: `new ${password}`, refresh: 'body' } })).json()
  await w.refresh((await w.refresh(changed.refresh_token)).json().refresh_token)
  await w.refresh(changed.refresh_token)
  const client = await newClient(w)
  await post(w, '/oauth2/token', { grant_type: 'client_credentials' }, { basic: client })
  const last = (await w.call('POST', '/v1/auth/login', { body: { email, password: `new ${password}`, refresh: 'body' } })).json()
  await w.call('POST', '/v1/auth/logout-all', { bearer: last.access_token })

  const rows = await w.sql<Row>('SELECT * FROM audit_event')
  const types = new Set(rows.map(({ type }) => type))
  for (const type of ['session.started', 'session.refused', 'session.reused', 'sessions.ended', 'profile.changed', 'password.changed', 'client.created']) t.ok(types.has(type), type)
  const hashes = (await w.sql<{ password_hash: string }>('SELECT password_hash FROM credential')).map(({ password_hash: hash }) => hash.split('$').at(-1)!)
  const secrets = [canary, client.secret, ...hashes, ...[first, second, changed, last].flatMap(({ access_token: a, refresh_token: r }) => [a, r].map((token: string) => token.split('.').at(-1)!))]
  t.ok(secrets.every(secret => secret.length >= 16) && secrets.length >= 10)
  const [trail, log] = [JSON.stringify(rows), JSON.stringify(w.logLines())]
  for (const [where, text] of Object.entries({ trail, log })) {
    t.strictSame(secrets.filter(secret => text.includes(secret)), [], where)
    t.notMatch(text, /eyJ[A-Za-z0-9_-]{10}|\$argon2|__Host-/, `${where}: nothing of that form`)
  }
  t.ok(rows.every(({ user_agent: agent }) => (agent?.length ?? 0) <= 256))
  t.ok(rows.every(({ address_prefix: prefix }) => prefix === null || /^127\.0\.0\.0\/24$/.test(prefix)))
})

t.test('nothing in the service changes a row of the trail, and only retention deletes any', async t => {
  const offences = (files: Record<string, string>) => Object.entries(files).filter(([, code]) => /UPDATE\s+"?audit_event|auditEvent\.(update|upsert|create)/i.test(code) || /audit_event[^`]*ON CONFLICT[^`]*DO UPDATE/i.test(code)).map(([file]) => file)
  t.strictSame(offences({ a: 'UPDATE audit_event SET', b: 'db.auditEvent.updateMany(', c: 'INSERT INTO audit_event (id) VALUES (1) ON CONFLICT (id) DO UPDATE', d: 'INSERT INTO audit_event' }), ['a', 'b', 'c'], 'the check sees each')
  const files = Object.fromEntries(globSync('src/**/*.ts').filter(file => !file.startsWith('src/db/generated/')).map(file => [file, readFileSync(file, 'utf8')]))
  t.strictSame(offences(files), [])
  t.ok(Object.entries(files).filter(([, code]) => /DELETE FROM audit_event/.test(code)).every(([file]) => file === 'src/core/audit/store.ts'))
})
