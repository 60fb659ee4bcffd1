import t from 'tap'
import { cli, refusedBecause } from '../helpers/cli.ts'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { SHARED_KEK } from '../helpers/processes.ts'
import { PASSWORD, world } from '../helpers/world.ts'

t.test('the first administrator comes from the command line, before any node has run, and sets the password by the printed link', async t => {
  const database = await freshDatabase(t)
  const env = { DATABASE_URL: database, KEY_ENCRYPTION_KEY: SHARED_KEK }
  const { code, stdout, stderr } = await cli(t, ['users', 'create', '--email', ' Ada@Mail.Test', '--name', 'Ada', '--role', 'admin', '--role', 'support'], env)
  t.strictSame([code, stderr.replaceAll(/^\{.*\}\n/gm, '')], [0, ''])
  const [, token] = /^created ada@mail\.test; its password can be set within 30 minutes at\nhttp:\/\/localhost:3000\/reset-password#token=(\S+)\n$/m.exec(stdout) as unknown as [string, string]
  const { call, sql } = await world(t, { DATABASE_URL: database, KEY_ENCRYPTION_KEY: SHARED_KEK, REQUIRE_VERIFIED_EMAIL: 'true' })
  t.equal((await call('POST', '/v1/password-reset/confirm', { body: { token, new_password: PASSWORD } })).statusCode, 204)
  const signedIn = await call('POST', '/v1/auth/login', { body: { email: 'ada@mail.test', password: PASSWORD, scope: 'admin' } })
  t.match(signedIn.json(), { user: { name: 'Ada', roles: ['admin', 'support'] } })
  t.equal((await call('GET', '/v1/admin/users', { bearer: signedIn.json().access_token })).statusCode, 200)
  t.equal((await call('POST', '/v1/password-reset/confirm', { body: { token, new_password: `${PASSWORD} 2` } })).json().code, 'token_used')
  t.strictSame(await sql("SELECT actor, data FROM audit_event WHERE type = 'account.created'"), [{ actor: 'cli', data: { roles: ['admin', 'support'] } }])
})

t.test('what is no account is refused in words, and makes none', async t => {
  const database = await freshDatabase(t)
  const sql = await sqlTo(t, database)
  await sql("INSERT INTO users (id, email) VALUES (gen_random_uuid(), 'ada@mail.test')")
  const env = { DATABASE_URL: database, KEY_ENCRYPTION_KEY: SHARED_KEK }
  refusedBecause(t, await cli(t, ['users', 'create', '--email', 'ADA@mail.test'], env), /There is an account with the address ada@mail\.test already/)
  refusedBecause(t, await cli(t, ['users', 'create', '--email', 'nobody'], env), /"nobody" is not an e-mail address/)
  refusedBecause(t, await cli(t, ['users', 'create', '--email', 'eve@mail.test', '--role', 'a b'], env), /A role must have/)
  for (const args of [['create'], ['create', '--role', 'admin'], ['create', '--email', 'eve@mail.test', '--password', 'x'], []]) t.equal((await cli(t, ['users', ...args], env)).code, 2, args.join(' '))
  t.strictSame(await sql('SELECT email FROM users'), [{ email: 'ada@mail.test' }])
})
