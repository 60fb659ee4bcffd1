import t from 'tap'
import { settle, type Comparison } from '../../src/core/passwords/check.ts'
import { findForSignIn, forgetFailures } from '../../src/core/users/store.ts'
import { databaseLink } from '../helpers/database-link.ts'
import { freshDatabase, type Sql } from '../helpers/database.ts'
import { forgetCounters } from '../helpers/limits.ts'
import { until } from '../helpers/until.ts'
import { PASSWORD, world, type Node } from '../helpers/world.ts'

const WRONG = 'a wrong pass phrase'
const DEVICE = '__Host-did'
let strangers = 0
/** A browser that was never here, at an address that was never here. */
const guess = async ({ call }: Pick<Node, 'call'>, email: string, password: string, cookies: Record<string, string> = {}) =>
  await call('POST', '/v1/auth/login', { body: { email, password }, cookies, remoteAddress: `2001:db8:${(++strangers).toString(16)}::1` })
/** Signs in and is known from then on. */
async function browser (node: Pick<Node, 'call'>, email: string, password = PASSWORD): Promise<Record<string, string>> {
  const { cookies } = await guess(node, email, password)
  return { [DEVICE]: cookies.find(({ name }) => name === DEVICE)!.value }
}
const failures = async (sql: Sql, email: string) => (await sql('SELECT fail_unknown AS unknown, fail_known AS known FROM credential c JOIN users u ON u.id = c.user_id WHERE email = $1', [email]))[0]
const locked = async (sql: Sql) => (await sql('SELECT 1 FROM pgboss.job WHERE name = \'email\' AND data->>\'kind\' = \'sign_in_locked\'')).length

t.test('101 wrong guesses over three nodes: no further one is compared, the owner is told once, and the browser that they used stays open', async t => {
  const w = await world(t)
  const nodes = [w, await w.anotherNode(), await w.anotherNode()]
  const { email, id } = await w.signUp()
  const own = await browser(w, email)
  for (let at = 0; at < 5; at++) t.equal((await guess(nodes[at % 3]!, email, WRONG)).statusCode, 401)
  t.strictSame(await failures(w.sql, email), { unknown: 5, known: 0 })
  t.equal((await guess(nodes[2]!, email, PASSWORD, own)).statusCode, 200)
  t.strictSame(await failures(w.sql, email), { unknown: 0, known: 0 }, 'success begins the count anew')
  for (let at = 0; at < 101; at++) {
    if (at % 10 === 0) await forgetCounters(w.sql) // as if a minute had passed after each: the durable counters hold alone
    t.equal((await guess(nodes[at % 3]!, email, `${WRONG} ${at}`)).statusCode, 401)
  }
  t.strictSame(await failures(w.sql, email), { unknown: 90, known: 0 })
  t.equal(await locked(w.sql), 1)

  await forgetCounters(w.sql)
  for (const node of nodes) t.match((await guess(node, email, PASSWORD)).json(), { code: 'invalid_credentials' }, 'the right password, from a browser nobody knows')
  t.equal((await guess(w, email, WRONG, own)).statusCode, 401)
  for (const node of nodes) t.equal((await guess(node, email, PASSWORD, own)).statusCode, 200, 'from the owner\'s')
  t.strictSame(await failures(w.sql, email), { unknown: 90, known: 0 })
  t.equal((await guess(w, email, PASSWORD)).statusCode, 401, 'which reopens nothing for strangers')

  for (let at = 0; at < 10; at++) {
    if (at % 5 === 0) await forgetCounters(w.sql)
    t.equal((await guess(nodes[at % 3]!, email, WRONG, own)).statusCode, 401)
  }
  await forgetCounters(w.sql)
  t.equal((await guess(w, email, PASSWORD, own)).statusCode, 401, 'a hundred are a hundred, whoever stole that browser\'s cookie')
  t.strictSame(await failures(w.sql, email), { unknown: 90, known: 10 })

  t.equal(await forgetFailures(w.ctx.db, id), true)
  t.equal((await guess(nodes[1]!, email, PASSWORD)).statusCode, 200)
  t.strictSame(await failures(w.sql, email), { unknown: 0, known: 0 })
})

t.test('two hundred guesses at once over three nodes: ten are counted and compared, the others told when to come again; an address without an account answers alike', async t => {
  const w = await world(t)
  const nodes = [w, await w.anotherNode(), await w.anotherNode()]
  const { email } = await w.signUp()
  const own = await browser(w, email)
  const flood = async (target: string, count: number) => {
    const answers = await Promise.all(Array.from({ length: count }, async (_, at) => await guess(nodes[at % 3]!, target, WRONG)))
    for (const { statusCode, headers, body } of answers) {
      if (statusCode !== 429) continue
      t.match(body, '"code":"too_many_requests"')
      t.ok(Number(headers['retry-after']) >= 1 && Number(headers['retry-after']) <= 60)
    }
    const [compared, refused, busy] = [401, 429, 503].map(status => answers.filter(({ statusCode }) => statusCode === status).length) as [number, number, number]
    t.equal(compared + refused + busy, count)
    t.ok(compared > 0 && compared <= 10 && (busy > 0 || compared === 10), `${compared} compared, ${refused} refused, ${busy} told that the database is busy`)
    return compared
  }
  const compared = await flood(email, 200)
  await flood('nobody@mail.test', 60)
  t.strictSame(await failures(w.sql, email), { unknown: compared, known: 0 }, 'each of them counts')
  for (let time = 0; time < 8; time++) t.equal((await guess(nodes[time % 3]!, email, PASSWORD, own)).statusCode, 200, 'the owner comes and goes meanwhile')
  await until(async () => (await w.sql('SELECT 1 FROM rate_limit WHERE key LIKE \'a:%\' AND key NOT LIKE \'%:*\'')).length === 0)
  const guesses = await Promise.all(Array.from({ length: 12 }, async (_, at) => (await guess(nodes[at % 3]!, email, WRONG, own)).statusCode))
  t.equal(guesses.filter(status => status === 401).length, 5, 'in a browser that they used, five at once')
})

t.test('of guesses at the same time no more are decided than the cap allows, and the one that reaches it tells the owner', async t => {
  const w = await world(t)
  const nodes = [w.ctx, (await w.anotherNode()).ctx]
  const { email, id } = await w.signUp()
  const source = { addressPrefix: null, userAgent: null }
  const event = { type: 'session.refused', outcome: 'failure', actor: 'anonymous', userId: id, source } as const
  const compared = (right: boolean): Comparison => ({ right, rehash: null, browser: 'unknown', device: null, guess: { wasRight: () => {} } })
  let accepted = 0
  for (let round = 0; round < 32; round++) {
    await w.sql('UPDATE credential SET fail_unknown = 89')
    await w.sql('DELETE FROM pgboss.job')
    await w.sql('DELETE FROM audit_event')
    const account = await findForSignIn(w.ctx.db, email)
    const verdicts = await Promise.all(Array.from({ length: 16 }, async (_, at) => await settle(nodes[at % 2]!, account, compared(at === round % 16), { right: event, wrong: event })))
    const right = verdicts.filter(Boolean).length
    accepted += right
    // Before them all, or not at all.
    t.strictSame([await failures(w.sql, email), await locked(w.sql)], right === 1 ? [{ unknown: 15, known: 0 }, 0] : [{ unknown: 90, known: 0 }, 1], `round ${round}`)
    t.equal((await w.sql('SELECT 1 FROM audit_event')).length, 16)
  }
  t.ok(accepted <= 9, `the right one among sixteen is not favoured: ${accepted} of 32 times it was the last that counted`)
})

t.test('a browser is known to one account, under one password, with a cookie of ours of the last year', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  const { email } = await w.signUp()
  const stranger = await w.signUp()
  const counted = async (node: Pick<Node, 'call'>, jar: Record<string, string>) => {
    await w.sql('UPDATE credential SET fail_unknown = 0, fail_known = 0')
    await forgetCounters(w.sql)
    t.equal((await guess(node, email, WRONG, jar)).statusCode, 401)
    return await failures(w.sql, email)
  }
  const [known, unknown] = [{ known: 1, unknown: 0 }, { known: 0, unknown: 1 }]
  const answer = await guess(w, email, PASSWORD)
  const cookie = answer.cookies.find(({ name }) => name === DEVICE)!
  t.match(cookie, { path: '/', secure: true, httpOnly: true, sameSite: 'Strict', maxAge: 365 * 86_400 })
  const jar = { [DEVICE]: cookie.value }
  t.strictSame(await counted(w, jar), known)
  t.strictSame(await counted(other, jar), known, 'on another node')

  const [head, payload, signature] = cookie.value.split('.') as [string, string, string]
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const refresh = answer.cookies.find(({ name }) => name === '__Host-rt')!.value
  const forgeries = {
    none: '', noise: 'a.b.c', 'another account\'s': (await browser(w, stranger.email))[DEVICE]!, 'a refresh token': refresh, 'an access token': answer.json().access_token as string,
    'signed with nothing': `${encoded({ alg: 'none', typ: 'dc+jwt', kid: 'x' })}.${payload}.`, 'another subject': `${head}.${encoded({ ...claims, sub: stranger.id })}.${signature}`,
    'another name': `${head}.${encoded({ ...claims, jti: stranger.id })}.${signature}`, 'its head on a refresh token': `${head}.${refresh.split('.').slice(1).join('.')}`, 'cut short': cookie.value.slice(0, -2),
  }
  for (const [name, value] of Object.entries(forgeries)) t.strictSame(await counted(w, { [DEVICE]: value }), unknown, name)

  const again = await guess(other, email, PASSWORD, jar)
  const renewed = again.cookies.find(({ name }) => name === DEVICE)!.value
  t.equal(JSON.parse(Buffer.from(renewed.split('.')[1]!, 'base64url').toString()).jti, claims['jti'], 'the same browser, whenever it signs in')
  t.notOk((await w.call('POST', '/v1/auth/login', { body: { email, password: PASSWORD, remember: false } })).cookies.find(({ name }) => name === DEVICE)!.maxAge, 'forgotten with the session where that is asked for')

  await w.sql('UPDATE credential SET password_hash = (SELECT password_hash FROM credential WHERE user_id = $1)', [stranger.id])
  t.strictSame(await counted(w, jar), unknown, 'after the password was changed')
  t.strictSame(await counted(w, await browser(w, stranger.email)), unknown, 'another account\'s, though both have one hash')
  const fresh = await browser(w, email)
  t.strictSame(await counted(w, fresh), known)
  other.clock.advance(366 * 86_400)
  t.strictSame(await counted(other, fresh), unknown, 'a year later')
})

t.test('every try is in the audit trail: a sign-in with its session, a refusal without a name', async t => {
  const w = await world(t, { REQUIRE_VERIFIED_EMAIL: 'true' })
  for (const name of ['ada', 'unconfirmed', 'off', 'bare']) await w.call('POST', '/v1/auth/register', { body: { email: `${name}@mail.test`, password: PASSWORD } })
  await w.sql('UPDATE users SET email_verified_at = now() WHERE email <> \'unconfirmed@mail.test\'')
  await w.sql('UPDATE users SET status = 2 WHERE email = \'off@mail.test\'')
  await w.sql('DELETE FROM credential WHERE user_id = (SELECT id FROM users WHERE email = \'bare@mail.test\')')
  const events = async () => await w.sql<{ type: string, outcome: string, actor: string, email: string | null, sid: string | null, address_prefix: string, user_agent: string, data: object }>(
    'DELETE FROM audit_event a USING (SELECT 1) one WHERE type LIKE \'session.%\' RETURNING type, outcome, actor, (SELECT email FROM users WHERE id = a.user_id), sid, address_prefix, user_agent, data')
  const enter = async (email: string, password: string) => await w.call('POST', '/v1/auth/login', { body: { email, password, refresh: 'body' }, remoteAddress: '203.0.113.77', headers: { 'user-agent': 'Test/1' } })
  const started = await enter('ada@mail.test', PASSWORD)
  const sid = JSON.parse(Buffer.from(started.json().access_token.split('.')[1], 'base64url').toString()).sid
  t.match(await events(), [{ type: 'session.started', outcome: 'success', actor: `user:${started.json().user.id}`, email: 'ada@mail.test', sid, address_prefix: '203.0.113.0/24', user_agent: 'Test/1', data: { amr: ['pwd'], client_id: 'app', scope: 'account', browser: 'unknown' } }])
  const refused = { type: 'session.refused', outcome: 'failure', actor: 'anonymous', sid: null, address_prefix: '203.0.113.0/24', user_agent: 'Test/1', data: { browser: 'unknown' } }
  for (const [email, password, name] of [['ada@mail.test', WRONG, true], ['off@mail.test', PASSWORD, true], ['bare@mail.test', PASSWORD, true], ['nobody@mail.test', PASSWORD, false], ['no address', PASSWORD, false], ['unconfirmed@mail.test', WRONG, true]] as const) {
    t.equal((await enter(email, password)).statusCode, 401)
    t.strictSame(await events(), [{ ...refused, email: name ? email : null }], email)
  }
  await w.sql('UPDATE credential SET fail_unknown = 3')
  t.equal((await enter('unconfirmed@mail.test', PASSWORD)).statusCode, 403)
  t.match(await events(), [{ ...refused, email: 'unconfirmed@mail.test', data: { reason: 'email_not_verified' } }])
  t.strictSame(await failures(w.sql, 'unconfirmed@mail.test'), { unknown: 0, known: 0 }, 'it was no failure to guess')
  t.strictSame(await failures(w.sql, 'off@mail.test'), { unknown: 3, known: 0 })
})

t.test('a sign-in whose result cannot be written has not happened, right or wrong', async t => {
  const database = await freshDatabase(t)
  const link = await databaseLink(t, database)
  const w = await world(t, { DATABASE_URL: link.url, ARGON2_PASSES: '10' })
  const { email } = await w.signUp()
  for (const password of [PASSWORD, WRONG]) {
    await forgetCounters(w.sql)
    link.statements.length = 0
    const asked = guess(w, email, password)
    await until(() => link.statements.filter(statement => statement.includes('rate_limit')).length === 2)
    await link.cut()
    const answer = await asked
    t.match([answer.statusCode, answer.json().code, answer.headers['retry-after'], answer.cookies.length], [503, 'database_unavailable', /^\d+$/, 0])
    await link.mend()
    await until(async () => (await w.app.inject('/readyz/full')).statusCode === 200, 5_000)
  }
})
