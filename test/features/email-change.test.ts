import t from 'tap'
import { eventsOf, linksOf, mailsOf } from '../helpers/links.ts'
import { until } from '../helpers/until.ts'
import { PASSWORD, world, type Call } from '../helpers/world.ts'

const ask = (call: Call, bearer: string, to: string, password = PASSWORD) => call('POST', '/v1/me/email', { bearer, body: { new_email: to, password } })
const confirm = (call: Call, token: string) => call('POST', '/v1/email-change/confirm', { body: { token } })
const login = async (call: Call, email: string) => (await call('POST', '/v1/auth/login', { body: { email, password: PASSWORD, refresh: 'body' } })).statusCode

t.test('an address is changed with the password and a link to the new one; the old one is told, and every session and older link ends', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  const { id, email } = await w.signUp('ada@mail.test')
  const [one, two] = [await w.signIn(email), await w.signIn(email)]
  t.match((await ask(w.call, one.access_token, 'new@mail.test', 'a wrong pass phrase')).json(), { status: 401, code: 'invalid_credentials' })
  t.equal((await w.call('POST', '/v1/me/email', { body: { new_email: 'new@mail.test', password: PASSWORD } })).statusCode, 401)
  const asked = await ask(w.call, one.access_token, ' NEW@mail.test')
  t.match([asked.statusCode, asked.body], [202, ''])
  const [{ epoch }] = await w.sql<{ epoch: number }>('SELECT epoch FROM users') as [{ epoch: number }]
  t.strictSame((await mailsOf(w)).slice(-2).sort((a, b) => a.kind < b.kind ? -1 : 1), [
    { kind: 'confirm_email_change', user_id: id, old_email: email, new_email: 'new@mail.test', epoch },
    { kind: 'email_change_requested', user_id: id, old_email: email, new_email: 'new@mail.test' },
  ], 'a link for the new address and a notice for the old one, and no token in either')
  t.equal(await login(w.call, email), 200, 'nothing has changed yet')

  const { emailChange, reset, verification } = await linksOf(w, id)
  t.notMatch(Buffer.from(emailChange.split('.')[1]!, 'base64url').toString(), /mail\.test/, 'the link itself names no address')
  const elsewhere = (await linksOf(w, id, { to: 'elsewhere@mail.test' })).emailChange
  t.equal((await confirm(w.call, emailChange)).statusCode, 204)
  for (const session of [one, two]) {
    t.equal((await w.refresh(session.refresh_token, other)).json().code, 'session_ended')
    t.equal((await w.verify(session.access_token)).statusCode, 401)
    await t.resolves(until(async () => (await w.verify(session.access_token, other)).statusCode === 401, 1_000))
  }
  t.strictSame([await login(other.call, email), await login(other.call, 'new@mail.test')], [401, 200])
  t.match(await w.sql('SELECT email, email_verified_at IS NOT NULL AS verified FROM users'), [{ email: 'new@mail.test', verified: true }])
  t.match((await mailsOf(w)).at(-1), { kind: 'email_changed', user_id: id, old_email: email, new_email: 'new@mail.test' })
  t.match((await eventsOf(w)).map(({ type }) => type), ['account.created', 'password.refused', 'email.change_requested', 'email.changed'])

  t.match((await confirm(other.call, emailChange)).json(), { status: 400, code: 'token_used' }, 'the retry of a lost answer')
  t.match((await confirm(other.call, elsewhere)).json(), { status: 400, code: 'invalid_action_token' }, 'the older link to another address')
  t.match((await w.call('POST', '/v1/password-reset/confirm', { body: { token: reset, new_password: 'the pass phrase of tomorrow' } })).json(), { status: 400, code: 'invalid_action_token' })
  t.match((await w.call('POST', '/v1/email-verification/confirm', { body: { token: verification } })).json(), { status: 400, code: 'invalid_action_token' })
})

t.test('whether the new address belongs to somebody shows neither when it is asked for nor when it is confirmed, and nothing is taken over', async t => {
  const w = await world(t)
  const [ada, eve] = [await w.signUp('ada@mail.test'), await w.signUp('eve@mail.test')]
  const { access_token: bearer } = await w.signIn(eve.email)
  const seen = async (to: string) => {
    const { statusCode, body, headers: { date: _date, 'x-request-id': _id, ...headers } } = await ask(w.call, bearer, to)
    return { statusCode, body, headers }
  }
  t.strictSame(await seen('ada@mail.test'), await seen('nobody@mail.test'))
  t.match((await ask(w.call, bearer, 'EVE@mail.test')).json(), { code: 'invalid_request', errors: [{ pointer: '/new_email', code: 'same' }] }, 'one that is theirs already is said to be')
  t.match((await ask(w.call, bearer, 'no address')).json(), { code: 'invalid_request', errors: [{ pointer: '/new_email', code: 'format' }] })
  const taken = (await linksOf(w, eve.id, { to: 'ada@mail.test' })).emailChange
  const refused = await confirm(w.call, taken)
  t.match(refused.json(), { status: 400, code: 'invalid_action_token' })
  const { request_id: _1, ...problem } = refused.json()
  const { request_id: _2, ...same } = (await confirm(w.call, 'a.b.c')).json()
  t.strictSame(problem, same, 'in the words for any bad link')
  t.equal((await w.verify(bearer)).statusCode, 200, 'and nothing ended')
  t.strictSame(await w.sql('SELECT id, email, epoch FROM users ORDER BY email'), [{ id: ada.id, email: 'ada@mail.test', epoch: 1 }, { id: eve.id, email: 'eve@mail.test', epoch: 1 }])
})

t.test('two accounts that confirm one new address at once on two nodes: one has it, the other hears nothing of that', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  for (let round = 0; round < 5; round++) {
    const users = [await w.signUp(), await w.signUp()]
    const tokens = await Promise.all(users.map(async ({ id }) => (await linksOf(w, id, { to: `round${round}@mail.test` })).emailChange))
    const answers = await Promise.all([confirm(w.call, tokens[0]!), confirm(other.call, tokens[1]!)])
    t.strictSame(answers.map(({ statusCode, body }) => statusCode === 204 ? '204' : JSON.parse(body).code).sort(), ['204', 'invalid_action_token'])
  }
})
