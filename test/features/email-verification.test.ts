import t from 'tap'
import { eventsOf, linksOf, mailsOf } from '../helpers/links.ts'
import { PASSWORD, world, type Call } from '../helpers/world.ts'

const confirm = (call: Call, token: string) => call('POST', '/v1/email-verification/confirm', { body: { token } })
const login = (call: Call, email: string) => call('POST', '/v1/auth/login', { body: { email, password: PASSWORD, refresh: 'body' } })

t.test('a new account signs in once its address is confirmed, and confirming again, at once or on another node, is the same success', async t => {
  const w = await world(t, { REQUIRE_VERIFIED_EMAIL: 'true' })
  const other = await w.anotherNode()
  await w.call('POST', '/v1/auth/register', { body: { email: 'ada@mail.test', password: PASSWORD } })
  const [{ id }] = await w.sql<{ id: string }>('SELECT id FROM users') as [{ id: string }]
  t.equal((await login(w.call, 'ada@mail.test')).json().code, 'email_not_verified')
  const { verification } = await linksOf(w, id)
  const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => confirm(at % 2 ? w.call : other.call, verification)))
  t.strictSame(answers.map(answer => answer.statusCode), Array(20).fill(204))
  const [{ at }] = await w.sql<{ at: Date }>('SELECT email_verified_at AS at FROM users') as [{ at: Date }]
  t.equal((await confirm(w.call, verification)).statusCode, 204)
  t.strictSame(await w.sql('SELECT email_verified_at AS at FROM users'), [{ at }], 'since when does not change')
  t.equal((await login(other.call, 'ada@mail.test')).statusCode, 200)
  t.strictSame((await eventsOf(w)).map(({ type, user_id: user }) => [type, user]), [['account.created', id], ['email.verified', id]], 'and it is recorded once')
})

t.test('a link confirms the address it was sent to, of the account it was made for, and no other', async t => {
  const w = await world(t, { REQUIRE_VERIFIED_EMAIL: 'true' })
  for (const name of ['ada', 'eve']) await w.call('POST', '/v1/auth/register', { body: { email: `${name}@mail.test`, password: PASSWORD } })
  const [{ id }] = await w.sql<{ id: string }>("SELECT id FROM users WHERE email = 'ada@mail.test'") as [{ id: string }]
  const { verification } = await linksOf(w, id)
  await w.sql('UPDATE users SET email = $1 WHERE id = $2', ['victim@mail.test', id])
  t.match((await confirm(w.call, verification)).json(), { status: 400, code: 'invalid_action_token' })
  await w.sql('DELETE FROM users WHERE id = $1', [id])
  t.match((await confirm(w.call, verification)).json(), { status: 400, code: 'invalid_action_token' })
  t.strictSame(await w.sql('SELECT email_verified_at FROM users'), [{ email_verified_at: null }])
})

for (const verified of ['true', 'false']) {
  t.test(`each sign-up leaves one event and one mail, for a new address and a known one alike (addresses to be verified: ${verified})`, async t => {
    const w = await world(t, { REQUIRE_VERIFIED_EMAIL: verified })
    const signUp = async (email: string, password = PASSWORD) => (await w.call('POST', '/v1/auth/register', { body: { email, password } })).statusCode
    const answers = [await signUp('ada@mail.test'), await signUp(' ADA@mail.test', 'the pass phrase of somebody else'), await signUp('bob@mail.test'), await signUp('eve@mail.test', 'short')]
    t.strictSame(answers, verified === 'true' ? [202, 202, 202, 400] : [201, 409, 201, 400])
    const known = verified === 'true' ? [['known_address', 'ada@mail.test']] : []
    t.strictSame((await mailsOf(w)).map(({ kind, email }) => [kind, email]), [['verify_email', 'ada@mail.test'], ...known, ['verify_email', 'bob@mail.test']])
    t.strictSame((await eventsOf(w)).map(({ type, outcome, user_id: user }) => [type, outcome, user !== null]), [['account.created', 'success', true], ...known.map(() => ['account.created', 'failure', false]), ['account.created', 'success', true]])
  })
}

t.test('no request and no header of it makes a link lead elsewhere, and nobody writes their own address confirmed', async t => {
  const w = await world(t)
  const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https', forwarded: 'host=evil.example' }
  await w.call('POST', '/v1/password-reset', { body: { email: 'ada@mail.test' }, headers })
  t.notMatch(JSON.stringify(await w.sql('SELECT * FROM pgboss.job')), 'evil')
  const { access_token: bearer } = await w.signIn()
  for (const body of [{ email_verified: true }, { emailVerified: true }, { email_verified_at: 1 }]) {
    t.ok((await w.call('POST', '/v1/auth/register', { body: { email: 'eve@mail.test', password: PASSWORD, ...body } })).statusCode === 400)
    t.ok((await w.call('PATCH', '/v1/me', { bearer, body })).statusCode >= 400)
  }
  t.strictSame(await w.sql('SELECT email_verified_at FROM users'), [{ email_verified_at: null }])
})
