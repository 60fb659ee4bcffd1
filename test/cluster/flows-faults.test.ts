import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { loadConfig } from '../../src/config.ts'
import { openContext } from '../../src/context.ts'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { linksOf } from '../helpers/links.ts'
import { silent } from '../helpers/open.ts'
import { send, SHARED_KEK, startProcess } from '../helpers/processes.ts'
import { PASSWORD, testEnvironment } from '../helpers/world.ts'

const NEW = 'the pass phrase of tomorrow'
const database = await freshDatabase(t)
const sql = await sqlTo(t, database)
const survivor = await startProcess(t, database)
/** What mails links: the keys of the nodes, in this process. */
const config = loadConfig({ ...testEnvironment(database, SHARED_KEK), PUBLIC_URL: 'http://localhost:3000' }, () => '')
const { ctx, close } = await openContext({ config, databaseUrl: database, keyEncryptionKey: config.keyEncryptionKey!, log: silent })
t.teardown(close)

/** The request whose answer never comes: the node does what it is asked for, commits, and dies. */
async function lose (t: Test, path: string, options: Parameters<typeof send>[3]): Promise<void> {
  const node = await startProcess(t, database, { preload: new URL('../helpers/die-before-answer.ts', import.meta.url).href, env: { TEST_DIES_ANSWERING: `POST ${path}` } })
  await t.rejects(send(node.url, 'POST', path, options), 'no answer came')
  await node.stop()
  t.equal(node.child.signalCode, 'SIGKILL', 'because the node died')
}

async function account () {
  const credentials = { email: `${randomUUID()}@example.com`, password: PASSWORD }
  const { id } = (await send(survivor.url, 'POST', '/v1/auth/register', { body: credentials })).json.user as { id: string }
  const { access_token: bearer } = (await login(credentials.email)).json as { access_token: string }
  return { id, ...credentials, bearer, links: await linksOf({ ctx, clock: ctx.clock as never }, id, { to: `${randomUUID()}@example.com` }) }
}
const login = async (email: string, password = PASSWORD) => await send(survivor.url, 'POST', '/v1/auth/login', { body: { email, password, refresh: 'body' } })
/** Mails of one kind about one account. */
const mails = async (kind: string, id: string) => (await sql("SELECT 1 FROM pgboss.job WHERE name = 'email' AND data->>'kind' = $1 AND data::text LIKE $2", [kind, `%${id}%`])).length

t.test('a reset whose answer was lost has happened: the retry hears that the link was used, and the new password signs in', async t => {
  const { id, email, links } = await account()
  const body = { token: links.reset, new_password: NEW }
  await lose(t, '/v1/password-reset/confirm', { body })
  const retried = await send(survivor.url, 'POST', '/v1/password-reset/confirm', { body })
  t.match([retried.status, retried.json.code], [400, 'token_used'])
  t.strictSame([(await login(email)).status, (await login(email, NEW)).status], [401, 200])
  t.equal(await mails('password_changed', id), 1)
})

t.test('an address change whose answer was lost has happened, once', async t => {
  const { id, email, links } = await account()
  const body = { token: links.emailChange }
  await lose(t, '/v1/email-change/confirm', { body })
  const retried = await send(survivor.url, 'POST', '/v1/email-change/confirm', { body })
  t.match([retried.status, retried.json.code], [400, 'token_used'])
  t.equal((await login(email)).status, 401)
  t.equal(await mails('email_changed', id), 1)
})

t.test('a verification whose answer was lost is simply repeated', async t => {
  const { id, links } = await account()
  const body = { token: links.verification }
  await lose(t, '/v1/email-verification/confirm', { body })
  t.equal((await send(survivor.url, 'POST', '/v1/email-verification/confirm', { body })).status, 204)
  t.equal((await sql("SELECT 1 FROM audit_event WHERE type = 'email.verified' AND user_id = $1", [id])).length, 1)
})

t.test('a password change whose answer was lost has happened: its session is over, and the user signs in with the new password', async t => {
  const { id, email, bearer } = await account()
  const body = { current_password: PASSWORD, new_password: NEW }
  await lose(t, '/v1/me/password', { body, bearer })
  t.equal((await send(survivor.url, 'POST', '/v1/me/password', { body, bearer })).status, 401)
  t.strictSame([(await login(email)).status, (await login(email, NEW)).status], [401, 200])
  t.equal(await mails('password_changed', id), 1)
})

t.test('a deletion whose answer was lost has happened, and one mail says so', async t => {
  const { email, bearer } = await account()
  await lose(t, '/v1/me/delete', { body: { password: PASSWORD }, bearer })
  t.equal((await send(survivor.url, 'POST', '/v1/me/delete', { body: { password: PASSWORD }, bearer })).status, 401)
  t.equal((await login(email)).status, 401)
  t.equal(await mails('account_deleted', email), 1)
})

t.test('a request for a link or for another address whose answer was lost has left its mails: the retry sends more, and harms nobody', async t => {
  const { id, email, bearer } = await account()
  await lose(t, '/v1/password-reset', { body: { email } })
  t.equal((await send(survivor.url, 'POST', '/v1/password-reset', { body: { email } })).status, 202)
  t.equal(await mails('reset_password', email), 2)
  const body = { new_email: `${randomUUID()}@example.com`, password: PASSWORD }
  await lose(t, '/v1/me/email', { body, bearer })
  t.equal((await send(survivor.url, 'POST', '/v1/me/email', { body, bearer })).status, 202)
  t.equal(await mails('confirm_email_change', id), 2)
})
