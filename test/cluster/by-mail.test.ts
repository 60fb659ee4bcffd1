import t from 'tap'
import { freshDatabase } from '../helpers/database.ts'
import { openMailbox } from '../helpers/mailbox.ts'
import { send, startProcess, type NodeProcess } from '../helpers/processes.ts'
import { until } from '../helpers/until.ts'
import { PASSWORD } from '../helpers/world.ts'

const NEW = 'the pass phrase of tomorrow'

t.test('from sign-up to another address, with nothing but HTTP and what comes by mail, each step on another node', async t => {
  const databaseUrl = await freshDatabase(t)
  const mailbox = await openMailbox(t)
  const env = { MAIL_URL: mailbox.url, REQUIRE_VERIFIED_EMAIL: 'true', PUBLIC_URL: 'https://auth.example.com' }
  const nodes = await Promise.all([startProcess(t, databaseUrl, { env }), startProcess(t, databaseUrl, { env })])
  let steps = 0
  const post = async (path: string, body: object, { bearer, at = nodes[steps++ % 2]! }: { bearer?: string, at?: NodeProcess } = {}) =>
    await send(at.url, 'POST', path, { body, ...(bearer !== undefined && { bearer }) })
  const signIn = async (email: string, password: string) => await post('/v1/auth/login', { email, password, refresh: 'body' })
  /** The link of the next mail, as somebody sees it who clicks on it. */
  const linkTo = async (address: string, page: string) => {
    const { link, token } = await mailbox.next(address, 30_000)
    t.equal(link, `https://auth.example.com${page}#token=${token}`)
    return token
  }

  t.equal((await post('/v1/auth/register', { email: 'ada@mail.test', password: PASSWORD })).status, 202)
  const verification = await linkTo('ada@mail.test', '/verify-email')
  t.match((await signIn('ada@mail.test', PASSWORD)).json, { code: 'email_not_verified' })
  t.equal((await post('/v1/email-verification/confirm', { token: verification })).status, 204)
  const first = await signIn('ada@mail.test', PASSWORD)
  t.match(first.json, { user: { email: 'ada@mail.test', email_verified: true } })

  t.equal((await post('/v1/password-reset', { email: 'ada@mail.test' })).status, 202)
  const reset = await linkTo('ada@mail.test', '/reset-password')
  t.equal((await post('/v1/password-reset/confirm', { token: reset, new_password: NEW })).status, 204)
  t.match((await mailbox.next('ada@mail.test', 30_000)).link, '', 'a notice that it was changed')
  t.equal((await post('/v1/auth/refresh', { refresh_token: first.json.refresh_token })).json.code, 'session_ended')
  t.equal((await signIn('ada@mail.test', PASSWORD)).status, 401)
  const second = await signIn('ada@mail.test', NEW)
  t.equal(second.status, 200)

  // Endings travel within a second; the token that was issued since is good on either node.
  t.equal((await post('/v1/me/email', { new_email: 'lovelace@mail.test', password: NEW }, { bearer: second.json.access_token })).status, 202)
  t.match((await mailbox.next('ada@mail.test', 30_000)).text, 'lovelace@mail.test', 'the old address is told')
  const change = await linkTo('lovelace@mail.test', '/confirm-email-change')
  t.equal((await signIn('lovelace@mail.test', NEW)).status, 401, 'not yet')
  t.equal((await post('/v1/email-change/confirm', { token: change })).status, 204)
  for (const node of nodes) await t.resolves(until(async () => (await send(node.url, 'GET', '/v1/auth/verify', { bearer: second.json.access_token })).status === 401, 5_000))
  t.equal((await signIn('ada@mail.test', NEW)).status, 401)
  t.match((await signIn('lovelace@mail.test', NEW)).json, { user: { email: 'lovelace@mail.test', email_verified: true } })
  t.match((await mailbox.next('ada@mail.test', 30_000)).text, 'lovelace@mail.test', 'and is told again')
  for (const [token, path] of [[verification, 'email-verification'], [reset, 'password-reset'], [change, 'email-change']] as const) {
    const { status, json } = await post(`/v1/${path}/confirm`, { token, ...(path === 'password-reset' && { new_password: PASSWORD }) })
    t.match([status, json.code], [400, /^(token_used|invalid_action_token)$/], 'no link works again')
  }
  t.strictSame(nodes.map(({ child }) => child.exitCode), [null, null])
})
