import { decodeJwt } from 'jose'
import t from 'tap'
import { eventsOf, linksOf, mailsOf } from '../helpers/links.ts'
import { until } from '../helpers/until.ts'
import { PASSWORD, world, type Call } from '../helpers/world.ts'

const NEW = 'the pass phrase of tomorrow'
const change = (call: Call, bearer: string, more: object = {}) => call('POST', '/v1/me/password', { bearer, body: { current_password: PASSWORD, new_password: NEW, refresh: 'body', ...more } })
const remove = (call: Call, bearer: string, password = PASSWORD, more: object = {}) => call('POST', '/v1/me/delete', { bearer, body: { password }, ...more })
const login = async (call: Call, email: string, password: string) => (await call('POST', '/v1/auth/login', { body: { email, password } })).statusCode

t.test('changing the password needs the present one, ends every other session on every node, and goes on with a new one', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  const { id, email } = await w.signUp()
  const sessions = [await w.signIn(email), await w.signIn(email), await w.signIn(email)]
  const { reset } = await linksOf(w, id)
  const mine = sessions[0]!.access_token
  const refusals: [object, object][] = [
    [{ current_password: 'a wrong pass phrase' }, { status: 401, code: 'invalid_credentials' }],
    [{ current_password: NEW }, { status: 401, code: 'invalid_credentials' }],
    [{ new_password: 'short' }, { status: 400, code: 'weak_password', errors: [{ pointer: '/new_password', code: 'too_short' }] }],
    [{ new_password: email }, { status: 400, code: 'weak_password', errors: [{ code: 'contextual' }] }],
    [{ current_password: undefined }, { status: 400, code: 'invalid_request' }],
  ]
  for (const [body, problem] of refusals) t.match((await change(w.call, mine, body)).json(), problem)
  for (const { access_token: access } of sessions) t.equal((await w.verify(access)).statusCode, 200, 'a refusal ends nothing')

  const changed = await change(w.call, mine)
  t.equal(changed.statusCode, 200)
  const fresh = changed.json()
  for (const { access_token: access, refresh_token: refresh } of sessions) {
    t.equal((await w.refresh(refresh, other)).json().code, 'session_ended')
    t.equal((await w.verify(access)).statusCode, 401)
    await t.resolves(until(async () => (await w.verify(access, other)).statusCode === 401, 1_000))
  }
  t.equal((await w.verify(fresh.access_token, other)).statusCode, 200)
  t.equal((await w.refresh(fresh.refresh_token, other)).statusCode, 200)
  const { sid } = decodeJwt(fresh.access_token)
  t.not(sid, decodeJwt(mine)['sid'])
  t.match((await other.call('GET', '/v1/me/sessions', { bearer: fresh.access_token })).json(), { items: [{ sid, current: true }], next: null }, 'it is listed, and the others are not')
  t.strictSame([await login(other.call, email, PASSWORD), await login(other.call, email, NEW)], [401, 200])
  t.match((await w.call('POST', '/v1/password-reset/confirm', { body: { token: reset, new_password: `${NEW}!` } })).json(), { code: 'invalid_action_token' }, 'a link from before is dead')
  t.match((await mailsOf(w)).at(-1), { kind: 'password_changed', user_id: id })
  const events = await eventsOf(w, { signIns: true })
  t.match(events.filter(({ type }) => type === 'password.changed'), [{ outcome: 'success', actor: `user:${id}`, user_id: id }])
  t.match(events.filter(event => event.type === 'session.started' && event.sid === sid), [{ user_id: id }], 'the new session is one of the user\'s')
})

t.test('the new session has the scope of the old one, and a browser that was to forget its cookie on closing forgets the new one too', async t => {
  const w = await world(t)
  const { email } = await w.signUp()
  let password = PASSWORD
  for (const remember of [true, false]) {
    const signedIn = await w.call('POST', '/v1/auth/login', { body: { email, password, remember } })
    const body = { current_password: password, new_password: password = `${NEW} ${remember}` }
    const answer = await w.call('POST', '/v1/me/password', { bearer: signedIn.json().access_token, cookies: { '__Host-rt': signedIn.cookies[0]!.value }, body })
    const [session, device] = answer.headers['set-cookie'] as string[]
    t.match(session, remember ? /^__Host-rt=ey.*; Max-Age=\d+; Path=\/; HttpOnly; Secure; SameSite=Strict$/ : /^__Host-rt=[\w.-]+; Path=\/; HttpOnly; Secure; SameSite=Strict$/)
    t.match(device, /^__Host-did=/, 'and the browser is known with the new password')
    t.equal(device!.includes('Max-Age'), remember)
    t.equal(answer.json().refresh_token, undefined, 'in the cookie, and not in the body too')
    t.equal(decodeJwt(answer.json().access_token)['scope'], 'account')
  }
})

t.test('two password changes at once on two nodes: one wins, the other\'s token has ended, and only the winner\'s password signs in', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  for (let round = 0; round < 5; round++) {
    const { email } = await w.signUp()
    const sessions = [await w.signIn(email), await w.signIn(email)]
    const answers = await Promise.all([w, other].map((node, at) => change(node.call, sessions[at]!.access_token, { new_password: `${NEW} ${at}` })))
    t.strictSame(answers.map(answer => answer.statusCode === 200 ? '200' : `${answer.statusCode} ${answer.json().code}`).sort(), ['200', '401 invalid_token'])
    const winner = answers.findIndex(answer => answer.statusCode === 200)
    t.strictSame([await login(w.call, email, `${NEW} ${winner}`), await login(w.call, email, `${NEW} ${1 - winner}`)], [200, 401])
  }
})

t.test('a deleted account is gone with its password and every session, on every node, and its trail names nobody', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  const { id, email } = await w.signUp()
  const sessions = [await w.signIn(email), await w.signIn(email), await w.signIn(email)]
  const links = await linksOf(w, id)
  t.match((await remove(w.call, sessions[0]!.access_token, 'a wrong pass phrase')).json(), { status: 401, code: 'invalid_credentials' })
  t.equal((await w.verify(sessions[0]!.access_token)).statusCode, 200)
  const gone = await remove(w.call, sessions[0]!.access_token, PASSWORD, { cookies: { '__Host-rt': sessions[0]!.refresh_token } })
  t.equal(gone.statusCode, 204)
  t.match(gone.cookies, [{ name: '__Host-rt', value: '' }])
  for (const { access_token: access, refresh_token: refresh } of sessions) {
    t.equal((await w.refresh(refresh, other)).json().code, 'session_ended')
    t.equal((await w.verify(access)).statusCode, 401)
    await t.resolves(until(async () => (await w.verify(access, other)).statusCode === 401, 1_000))
  }
  t.equal(await login(w.call, email, PASSWORD), 401)
  t.match((await remove(w.call, sessions[1]!.access_token)).json(), { status: 401, code: 'invalid_token' })
  for (const [url, body] of [['password-reset', { token: links.reset, new_password: NEW }], ['email-verification', { token: links.verification }], ['email-change', { token: links.emailChange }]] as const) {
    t.match((await w.call('POST', `/v1/${url}/confirm`, { body })).json(), { code: 'invalid_action_token' }, url)
  }
  t.strictSame(await w.sql('SELECT (SELECT count(*)::int FROM users) AS users, (SELECT count(*)::int FROM credential) AS credentials'), [{ users: 0, credentials: 0 }])
  t.strictSame((await mailsOf(w)).at(-1), { kind: 'account_deleted', email, locale: null })
  t.match((await eventsOf(w)).at(-1), { type: 'account.deleted', actor: `user:${id}`, user_id: id })
  t.notMatch(JSON.stringify(await w.sql('SELECT * FROM audit_event')), email)
  t.equal((await w.signUp(email)).email, email, 'and the address is free')
})

t.test('two deletions at once on two nodes: one does it, the other finds nobody, and both leave one trace', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  const { email } = await w.signUp()
  const sessions = [await w.signIn(email), await w.signIn(email)]
  const answers = await Promise.all([w, other].map((node, at) => remove(node.call, sessions[at]!.access_token)))
  t.strictSame(answers.map(answer => answer.statusCode).sort(), [204, 401])
  t.equal((await eventsOf(w)).filter(({ type }) => type === 'account.deleted').length, 1)
  t.equal((await mailsOf(w)).filter(({ kind }) => kind === 'account_deleted').length, 1)
})
