import { randomUUID } from 'node:crypto'
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { cli } from '../helpers/cli.ts'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { send, startProcess, type NodeProcess } from '../helpers/processes.ts'
import { until } from '../helpers/until.ts'
import { PASSWORD } from '../helpers/world.ts'

const database = await freshDatabase(t)
const sql = await sqlTo(t, database)
const survivor = await startProcess(t, database)

/** A node that does its work, commits, and dies before a byte of the answer to this operation is out. */
const doomed = async (operation: string): Promise<NodeProcess> => await startProcess(t, database, {
  preload: new URL('../helpers/die-before-answer.ts', import.meta.url).href, env: { TEST_DIES_ANSWERING: operation },
})

/** The request whose answer never comes. */
async function lose (t: Test, node: NodeProcess, path: string, options: Parameters<typeof send>[3]): Promise<void> {
  await t.rejects(send(node.url, 'POST', path, options), 'no answer came')
  await node.stop()
  t.equal(node.child.signalCode, 'SIGKILL', 'because the node died')
}

async function signIn (credentials = newCredentials()) {
  await send(survivor.url, 'POST', '/v1/auth/register', { body: credentials })
  const { json } = await send(survivor.url, 'POST', '/v1/auth/login', { body: { ...credentials, refresh: 'body' } })
  return { credentials, accessToken: json.access_token as string, refreshToken: json.refresh_token as string }
}
const newCredentials = () => ({ email: `${randomUUID()}@example.com`, password: PASSWORD })

t.test('a node that dies after spending a refresh token and before answering signs nobody out', async t => {
  const { refreshToken } = await signIn()
  await lose(t, await doomed('POST /v1/auth/refresh'), '/v1/auth/refresh', { body: { refresh_token: refreshToken } })
  const { sid } = decodeJwt(refreshToken)
  t.strictSame(await sql('SELECT gen, late FROM refresh_spent WHERE sid = $1', [sid]), [{ gen: 1, late: 0 }], 'it was spent')

  const retried = await send(survivor.url, 'POST', '/v1/auth/refresh', { body: { refresh_token: refreshToken } })
  t.equal(retried.status, 200)
  t.match(decodeJwt(retried.json.refresh_token), { sid, gen: 2 })
  t.equal((await send(survivor.url, 'GET', '/v1/auth/verify', { bearer: retried.json.access_token })).status, 200)
  t.equal((await send(survivor.url, 'POST', '/v1/auth/refresh', { body: { refresh_token: retried.json.refresh_token } })).status, 200, 'and it goes on')
})

t.test('a browser whose answer was lost retries with its old cookie and gets the next one', async t => {
  const credentials = newCredentials()
  await send(survivor.url, 'POST', '/v1/auth/register', { body: credentials })
  const signedIn = await send(survivor.url, 'POST', '/v1/auth/login', { body: credentials })
  const cookie = signedIn.headers.getSetCookie()[0]!.split(';')[0]!
  await lose(t, await doomed('POST /v1/auth/refresh'), '/v1/auth/refresh', { headers: { cookie } })
  const retried = await send(survivor.url, 'POST', '/v1/auth/refresh', { headers: { cookie } })
  t.equal(retried.status, 200)
  t.match(decodeJwt(retried.headers.getSetCookie()[0]!.split(';')[0]!.slice('__Host-rt='.length)), { gen: 2 })
})

t.test('a sign-up whose answer was lost exists: the retry says so, and the same password signs in', async t => {
  const credentials = newCredentials()
  await lose(t, await doomed('POST /v1/auth/register'), '/v1/auth/register', { body: credentials })
  const retried = await send(survivor.url, 'POST', '/v1/auth/register', { body: credentials })
  t.equal(retried.status, 409)
  t.equal(retried.json.code, 'email_taken')
  t.equal((await send(survivor.url, 'POST', '/v1/auth/login', { body: credentials })).status, 200)
})

t.test('a sign-in whose answer was lost left nothing behind and is simply repeated', async t => {
  const { credentials } = await signIn()
  const [before] = await sql('SELECT count(*) FROM refresh_spent')
  await lose(t, await doomed('POST /v1/auth/login'), '/v1/auth/login', { body: credentials })
  t.strictSame((await sql('SELECT count(*) FROM refresh_spent'))[0], before)
  t.equal((await send(survivor.url, 'POST', '/v1/auth/login', { body: credentials })).status, 200)
})

t.test('a logout whose answer was lost has ended the session everywhere, and repeating it is the same success', async t => {
  const { accessToken, refreshToken } = await signIn()
  await lose(t, await doomed('POST /v1/auth/logout'), '/v1/auth/logout', { body: { refresh_token: refreshToken } })
  t.equal((await send(survivor.url, 'POST', '/v1/auth/refresh', { body: { refresh_token: refreshToken } })).json.code, 'session_ended')
  await t.resolves(until(async () => (await send(survivor.url, 'GET', '/v1/auth/verify', { bearer: accessToken })).status === 401))
  t.equal((await send(survivor.url, 'POST', '/v1/auth/logout', { body: { refresh_token: refreshToken } })).status, 204)
})

t.test('a revocation whose answer was lost has ended what it named everywhere, and repeating it is the same success', async t => {
  const { accessToken, refreshToken } = await signIn()
  const { stdout } = await cli(t, ['clients', 'create', '--name', 'Service', '--scope', 'things'], { DATABASE_URL: database })
  const [, id, secret] = /client_id=(\S+)\nclient_secret=(\S+)/.exec(stdout) as unknown as [string, string, string]
  const credentials = { client_id: id, client_secret: secret }
  const { json: { access_token: own } } = await send(survivor.url, 'POST', '/oauth2/token', { form: { grant_type: 'client_credentials', ...credentials } })
  for (const [token, witness] of [[refreshToken, accessToken], [own, own]] as const) {
    await lose(t, await doomed('POST /oauth2/revoke'), '/oauth2/revoke', { form: { token } })
    await t.resolves(until(async () => (await send(survivor.url, 'GET', '/v1/auth/verify', { bearer: witness })).status === 401))
    t.equal((await send(survivor.url, 'POST', '/oauth2/revoke', { form: { token } })).status, 200)
  }
  t.equal((await send(survivor.url, 'POST', '/v1/auth/refresh', { body: { refresh_token: refreshToken } })).json.code, 'session_ended')
  await lose(t, await doomed('POST /oauth2/token'), '/oauth2/token', { form: { grant_type: 'client_credentials', ...credentials } })
  t.equal((await send(survivor.url, 'POST', '/oauth2/token', { form: { grant_type: 'client_credentials', ...credentials } })).status, 200, 'a token whose answer was lost is asked for again')
})
