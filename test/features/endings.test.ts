import t from 'tap'
import { run } from '../../src/cli/run.ts'
import { PASSWORD, world } from '../helpers/world.ts'

t.test('signing out everywhere ends every session of the user on every node, and nobody else’s', async t => {
  const { signUp, signIn, call, refresh, verify, anotherNode } = await world(t)
  const other = await anotherNode()
  const { email } = await signUp()
  const sessions = [await signIn(email), await signIn(email), await signIn(email)]
  const bystander = await signIn()

  t.equal((await call('POST', '/v1/auth/logout-all', { bearer: sessions[0]!.access_token })).statusCode, 204)
  for (const session of sessions) {
    t.equal((await verify(session.access_token)).statusCode, 401, 'at once where it was asked for')
    t.equal((await refresh(session.refresh_token, other)).json().code, 'session_ended', 'refresh at once everywhere')
  }
  await other.ctx.revocations.poll()
  for (const session of sessions) t.equal((await verify(session.access_token, other)).statusCode, 401)
  t.equal((await verify(bystander.access_token, other)).statusCode, 200)
  t.equal((await verify((await signIn(email)).access_token)).statusCode, 200, 'a new sign-in is a new session')
})

t.test('signing out everywhere is one statement, and a retry of a lost answer is refused rather than repeated', async t => {
  const { signIn, call, sql } = await world(t)
  const { access_token: bearer, user } = await signIn()
  await call('POST', '/v1/auth/logout-all', { bearer })
  t.equal((await call('POST', '/v1/auth/logout-all', { bearer })).statusCode, 401)
  t.strictSame(await sql('SELECT epoch FROM users WHERE id = $1', [user.id]), [{ epoch: 2 }])
  t.strictSame(await sql('SELECT kind, val FROM revocation'), [{ kind: 'u', val: 2 }])
})

t.test('an operator closes an account: its sessions end, and nobody can sign in to it', async t => {
  const { signIn, signUp, call, refresh, verify, ctx, databaseUrl } = await world(t)
  const { email } = await signUp()
  const session = await signIn(email)
  const env = { DATABASE_URL: databaseUrl, KEY_ENCRYPTION_KEY: `k:${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')}`, LOG_LEVEL: 'silent' }
  t.equal(await run(['users', 'disable', '--email', ` ${email.toUpperCase()} `], env), 0)
  t.equal(await run(['users', 'disable', '--email', 'nobody@example.com'], env), 1)

  t.equal((await refresh(session.refresh_token)).json().code, 'session_ended')
  await ctx.revocations.poll()
  t.equal((await verify(session.access_token)).statusCode, 401)
  const signIn2 = await call('POST', '/v1/auth/login', { body: { email, password: PASSWORD } })
  t.equal(signIn2.json().code, 'invalid_credentials')
})
