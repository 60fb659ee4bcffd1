import t from 'tap'
import { linksOf, eventsOf, mailsOf } from '../helpers/links.ts'
import { until } from '../helpers/until.ts'
import { PASSWORD, world, type Call, type World } from '../helpers/world.ts'

const NEW = 'the pass phrase of tomorrow'
const reset = (call: Call, token: string, password = NEW, more: object = {}) => call('POST', '/v1/password-reset/confirm', { body: { token, new_password: password }, ...more })
const login = (call: Call, email: string, password: string) => call('POST', '/v1/auth/login', { body: { email, password, refresh: 'body' } })
const codeOf = (answer: { statusCode: number, body: string }) => answer.statusCode === 204 ? '204' : `${answer.statusCode} ${(JSON.parse(answer.body) as { code: string }).code}`

t.test('a forgotten password is replaced by a link: the old one and every session are gone, on every node, and nobody is signed in', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  const { id, email } = await w.signUp()
  const sessions = [await w.signIn(email), await w.signIn(email), await w.signIn(email)]
  const { reset: token } = await linksOf(w, id)
  const done = await reset(w.call, token)
  t.equal(done.statusCode, 204)
  t.equal(done.body, '', 'no token of a session')
  t.match(done.cookies, [{ name: '__Host-did' }], 'only the sign that its owner uses this browser')
  for (const { access_token: access, refresh_token: refresh } of sessions) {
    t.equal((await w.refresh(refresh, other)).json().code, 'session_ended')
    t.equal((await w.verify(access)).statusCode, 401, 'at once where it happened')
    await t.resolves(until(async () => (await w.verify(access, other)).statusCode === 401, 1_000), 'and within a second elsewhere')
  }
  t.equal((await login(other.call, email, PASSWORD)).statusCode, 401)
  t.equal((await login(other.call, email, NEW)).statusCode, 200)
  t.equal((await login(other.call, email, NEW)).json().user.email_verified, true, 'whoever reads its mail has its address')
  t.match(await eventsOf(w), [{ type: 'account.created' }, { type: 'password.reset', outcome: 'success', actor: `user:${id}`, user_id: id }])
  t.match((await mailsOf(w)).at(-1), { kind: 'password_changed', user_id: id })
})

t.test('a used link says that it was used; an older one, and one that a later change overtook, says that it is not valid any more', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  const { id, email } = await w.signUp()
  const [first, second] = [(await linksOf(w, id)).reset, (await linksOf(w, id)).reset]
  t.equal(codeOf(await reset(w.call, second)), '204')
  for (const { call } of [w, other]) {
    t.equal(codeOf(await reset(call, second)), '400 token_used', 'the retry of a lost answer')
    t.equal(codeOf(await reset(call, second, 'another pass phrase altogether')), '400 token_used')
    t.equal(codeOf(await reset(call, second, 'short')), '400 token_used', 'before the password is judged')
    t.equal(codeOf(await reset(call, first)), '400 invalid_action_token')
  }
  const changes: Record<string, () => Promise<unknown>> = {
    'a password change': async () => await w.call('POST', '/v1/me/password', { bearer: (await login(w.call, email, NEW)).json().access_token, body: { current_password: NEW, new_password: `${NEW}!` } }),
    'an address change': async () => await w.call('POST', '/v1/email-change/confirm', { body: { token: (await linksOf(w, id)).emailChange } }),
    'a sign-out everywhere': async () => await w.call('POST', '/v1/auth/logout-all', { bearer: (await login(w.call, 'new@mail.test', `${NEW}!`)).json().access_token }),
    'a disabling': async () => await w.sql('UPDATE users SET status = 2'),
    'a deletion': async () => await w.sql('DELETE FROM users'),
  }
  for (const [change, happen] of Object.entries(changes)) {
    const { reset: token } = await linksOf(w, id)
    await happen()
    t.equal(codeOf(await reset(w.call, token)), '400 invalid_action_token', change)
  }
})

t.test('an account without a password gets its first one the same way, once, and failures counted before are forgotten', async t => {
  const w = await world(t, { REQUIRE_VERIFIED_EMAIL: 'true' })
  await w.call('POST', '/v1/auth/register', { body: { email: 'invited@mail.test', password: PASSWORD } })
  const [{ id }] = await w.sql<{ id: string }>('SELECT id FROM users') as [{ id: string }]
  await w.sql('DELETE FROM credential')
  const tokens = [(await linksOf(w, id)).reset, (await linksOf(w, id)).reset]
  const answers = await Promise.all([tokens[0]!, tokens[1]!].map((token, at) => reset(w.call, token, NEW, { remoteAddress: `192.0.2.${at}` })))
  t.strictSame(answers.map(codeOf).sort(), ['204', '400 invalid_action_token'])
  t.equal((await login(w.call, 'invited@mail.test', NEW)).statusCode, 200, 'and the address is confirmed')
  await w.sql('UPDATE credential SET fail_unknown = 90, fail_known = 10')
  t.equal(codeOf(await reset(w.call, (await linksOf(w, id)).reset, `${NEW}.`)), '204')
  t.strictSame(await w.sql('SELECT fail_unknown, fail_known FROM credential'), [{ fail_unknown: 0, fail_known: 0 }])
})

t.test('a weak password does not use the link up', async t => {
  const w = await world(t)
  const { id, email } = await w.signUp()
  const { reset: token } = await linksOf(w, id)
  for (const password of ['short', 'passwordpassword', email, 'x'.repeat(257)]) {
    const refused = await reset(w.call, token, password)
    t.match([refused.statusCode, refused.json().code, refused.json().errors], [400, 'weak_password', [{ pointer: '/new_password' }]], password)
  }
  t.equal(codeOf(await reset(w.call, token)), '204')
})

t.test('a reset link lives for half an hour and a verification link for a day, on every node', async t => {
  const w = await world(t)
  const { id } = await w.signUp()
  const tokens = await linksOf(w, id)
  const lives = { reset: 1_800, emailChange: 3_600, verification: 86_400 }
  for (const [kind, seconds] of Object.entries(lives)) {
    const { iat, exp } = JSON.parse(Buffer.from(tokens[kind as keyof typeof lives].split('.')[1]!, 'base64url').toString()) as { iat: number, exp: number }
    t.equal(exp - iat, seconds, kind)
  }
  w.clock.advance(1_801)
  t.equal(codeOf(await reset(w.call, tokens.reset)), '400 invalid_action_token')
  w.clock.advance(1_800)
  t.equal(codeOf(await w.call('POST', '/v1/email-change/confirm', { body: { token: tokens.emailChange } })), '400 invalid_action_token')
  w.clock.advance(82_799)
  t.equal(codeOf(await w.call('POST', '/v1/email-verification/confirm', { body: { token: tokens.verification } })), '400 invalid_action_token')
  w.clock.advance(-3)
  t.equal(codeOf(await w.call('POST', '/v1/email-verification/confirm', { body: { token: tokens.verification } })), '204', 'control')
})

t.test('asking for a link, or for another verification mail, answers and does the same for every address', async t => {
  const w: World = await world(t, { REQUIRE_VERIFIED_EMAIL: 'true' })
  for (const name of ['known', 'disabled', 'bare']) await w.call('POST', '/v1/auth/register', { body: { email: `${name}@mail.test`, password: PASSWORD } })
  await w.sql("UPDATE users SET status = 2 WHERE email = 'disabled@mail.test'")
  await w.sql("DELETE FROM credential WHERE user_id = (SELECT id FROM users WHERE email = 'bare@mail.test')")
  for (const [url, kind] of [['/v1/password-reset', 'reset_password'], ['/v1/email-verification', 'verify_email']] as const) {
    await w.sql('TRUNCATE rate_limit')
    const before = (await mailsOf(w)).length
    const answers = []
    for (const email of ['known@mail.test', ' KNOWN@mail.test', 'disabled@mail.test', 'bare@mail.test', 'unknown@mail.test']) {
      const { statusCode, body, headers: { date: _date, 'x-request-id': _id, ...headers } } = await w.call('POST', url, { body: { email } })
      answers.push({ statusCode, body, headers })
    }
    t.match(answers[0], { statusCode: 202, body: '' })
    for (const answer of answers) t.strictSame(answer, answers[0], url)
    t.strictSame((await mailsOf(w)).slice(before), ['known', 'known', 'disabled', 'bare', 'unknown'].map(name => ({ kind, email: `${name}@mail.test` })), 'one job each, which carries no token')
    for (const email of ['no address', 'a＠b.example', 'a@b']) t.match((await w.call('POST', url, { body: { email } })).json(), { code: 'invalid_request', errors: [{ pointer: '/email' }] }, email)
  }
  t.strictSame((await eventsOf(w)).filter(({ type }) => type === 'password.reset_requested').map(({ user_id: user, actor }) => [user, actor]), Array(5).fill([null, 'anonymous']))
})

t.test('a mailbox gets three such mails an hour at most, whoever asks and wherever, whether it has an account or not', async t => {
  const w = await world(t, { REQUIRE_VERIFIED_EMAIL: 'true' })
  const other = await w.anotherNode()
  for (const email of ['known@mail.test', 'unknown@mail.test']) {
    if (email.startsWith('known')) await w.call('POST', '/v1/auth/register', { body: { email, password: PASSWORD } })
    await w.sql('TRUNCATE rate_limit')
    const before = (await mailsOf(w)).length
    const ask = async (call: Call, url: string, at: number) => await call('POST', url, { body: { email, ...(url.endsWith('register') && { password: PASSWORD }) }, remoteAddress: `198.51.100.${at}` })
    const answers = []
    for (const [at, url] of ['/v1/password-reset', '/v1/email-verification', '/v1/auth/register', '/v1/password-reset', '/v1/email-verification', '/v1/auth/register'].entries()) answers.push(await ask(at % 2 ? other.call : w.call, url, at))
    t.strictSame(answers.map(answer => answer.statusCode), [202, 202, 202, 429, 429, 429], email)
    for (const { headers } of answers.slice(3)) t.match(headers['retry-after'], /^\d{2,4}$/)
    t.equal((await mailsOf(w)).length, before + 3)
  }
})

t.test('what the database holds after a request for a link opens nothing', async t => {
  const w = await world(t)
  const { id, email } = await w.signUp()
  await w.call('POST', '/v1/password-reset', { body: { email } })
  const { reset: token } = await linksOf(w, id)
  const { jti } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as { jti: string }
  t.equal(codeOf(await reset(w.call, token)), '204')
  const tables = await w.sql<{ name: string }>("SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname IN ('public', 'pgboss')")
  const dump = JSON.stringify(await Promise.all(tables.map(async ({ name }) => await w.sql(`SELECT * FROM ${name}`))))
  t.ok(dump.includes(email), 'it is a dump')
  t.notMatch(dump, /eyJ[\w-]+\.[\w-]+\./, 'no token')
  t.notOk(dump.includes(jti) || dump.includes(token.split('.')[2]!), 'and nothing that names one')
})
