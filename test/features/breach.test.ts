import { decodeProtectedHeader } from 'jose'
import pg from 'pg'
import t from 'tap'
import { run } from '../../src/cli/run.ts'
import { until as eventually } from '../helpers/until.ts'
import { PASSWORD, world, type Node, type World } from '../helpers/world.ts'

const operator = ({ databaseUrl }: World) => async (...args: string[]): Promise<number> =>
  await run(args, { DATABASE_URL: databaseUrl, KEY_ENCRYPTION_KEY: `k:${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')}`, LOG_LEVEL: 'silent' })

const published = async (node: Node): Promise<string[]> =>
  (await node.call('GET', '/.well-known/jwks.json')).json<{ keys: { kid: string }[] }>().keys.map(key => key.kid)

const until = async (condition: () => Promise<boolean> | boolean) => await eventually(condition, 3_000)

t.test('a leaked key: what it signed is refused on every node, and what signs next was public before', async t => {
  const here = await world(t)
  const nodes = [here, await here.anotherNode()]
  const session = await here.signIn()
  const { kid } = decodeProtectedHeader(session.access_token) as { kid: string }
  const before = await published(here)

  t.equal(await operator(here)('keys', 'revoke', kid), 0)
  for (const node of nodes) {
    await until(async () => (await here.verify(session.access_token, node)).statusCode === 401)
    await until(async () => !(await published(node)).includes(kid))
  }
  const next = (await here.refresh(session.refresh_token, nodes[1])).json()
  const { kid: signer } = decodeProtectedHeader(next.access_token) as { kid: string }
  t.not(signer, kid)
  t.ok(before.includes(signer), 'no verifier has to fetch keys to go on')
  for (const node of nodes) t.equal((await here.verify(next.access_token, node)).statusCode, 200)
  t.equal(await operator(here)('keys', 'revoke', kid), 0, 'repeating it is the same')
  t.equal(await operator(here)('keys', 'revoke', 'nope'), 1)
})

t.test('a revoked key stays dead after its feed entry is gone and every node has restarted', async t => {
  const here = await world(t)
  const { access_token: token } = await here.signIn()
  const { kid } = decodeProtectedHeader(token) as { kid: string }
  await operator(here)('keys', 'revoke', kid)
  await here.sql('TRUNCATE revocation')
  t.equal((await here.verify(token, await here.anotherNode())).statusCode, 401)
})

t.test('while every key of a use is revoked and none is in its place yet, who needs one is told to come again, and has lost nothing', async t => {
  const here = await world(t)
  const session = await here.signIn()
  await here.sql('UPDATE signing_key SET compromised_at = now() WHERE use = \'at\'')
  // A node can read what was revoked, and not yet write what signs instead.
  const holder = new pg.Client(here.databaseUrl)
  await holder.connect()
  t.teardown(async () => await holder.end())
  await holder.query('BEGIN; LOCK TABLE signing_key IN SHARE MODE')
  const reload = here.ctx.keyring.reload()
  await until(async () => (await here.verify(session.access_token)).statusCode === 401)

  const answers = [await here.refresh(session.refresh_token), await here.call('POST', '/v1/auth/login', { body: { email: session.user.email, password: PASSWORD } })]
  for (const answer of answers) t.match([answer.statusCode, answer.headers['retry-after'], answer.json()], [503, '1', { code: 'database_unavailable' }])
  t.strictSame(here.ctx.keyring.ages().map(({ use }) => use).sort(), ['ft', 'rt'], 'the metrics go on')

  await holder.query('COMMIT')
  await reload
  const next = await here.refresh(session.refresh_token)
  t.equal(next.statusCode, 200, 'the token was not spent in vain')
  t.equal((await here.verify(next.json().access_token)).statusCode, 200)
})

t.test('the breach button ends every session of everybody with a handful of rows, and people can sign in again', async t => {
  const here = await world(t)
  const other = await here.anotherNode()
  const sessions = [await here.signIn(), await here.signIn(), await here.signIn()]
  await until(() => Date.now() % 1000 > 100) // tokens of this very second count as issued before it
  t.equal(await operator(here)('sessions', 'revoke-all'), 0)

  for (const node of [here, other]) {
    for (const session of sessions) {
      await until(async () => (await here.verify(session.access_token, node)).statusCode === 401)
      await until(async () => (await here.refresh(session.refresh_token, node)).json().code === 'session_ended')
    }
  }
  const rows = await here.sql('SELECT kind FROM revocation')
  t.ok(rows.length <= 4, `${rows.length} rows`)
  await until(async () => {
    const again = await here.signIn(sessions[0]!.user.email)
    return (await here.verify(again.access_token, other)).statusCode === 200 && (await here.refresh(again.refresh_token, other)).statusCode === 200
  })
})

t.test('after the breach button no node renews an old session, not even one that has not heard of it yet', async t => {
  const here = await world(t)
  const behind = await here.anotherNode()
  const session = await here.signIn()
  behind.ctx.revocations.stop()
  behind.ctx.keyring.stop()
  t.equal(await operator(here)('sessions', 'revoke-all'), 0)
  await until(async () => (await here.verify(session.access_token)).statusCode === 401)
  const answer = await here.refresh(session.refresh_token, behind)
  t.equal(answer.json().code, 'session_ended', 'its access token would be younger than the button')
})
