import t from 'tap'
import { newAdmin } from '../helpers/admin.ts'
import { contract } from '../helpers/contract.ts'
import { newClient, post } from '../helpers/oauth.ts'
import { world } from '../helpers/world.ts'

const operations = Object.entries(contract.paths).filter(([path]) => path.startsWith('/v1/admin/'))
  .flatMap(([path, methods]) => Object.keys(methods).map(method => [method.toUpperCase(), path.replaceAll(/\{[^}]+\}/g, '01930f4e-8a3b-7c2d-9e1f-0a1b2c3d4e5f')] as const))

t.test('only an administrator who is one at this moment gets into the Admin API, whatever the token says', async t => {
  const w = await world(t)
  const tokenOf = async (roles: string, scope: string) => {
    const { id, email } = await w.signUp()
    await w.sql('UPDATE users SET roles = $2 WHERE id = $1', [id, roles])
    return { id, token: (await w.signIn(email, { scope })).access_token }
  }
  const client = await newClient(w)
  const everybody = {
    'a user who asks for the scope without the role': [await tokenOf('{support}', 'account admin'), 403],
    'an administrator with an everyday token': [await tokenOf('{admin}', 'account'), 403],
    'a user whose role only looks like it': [await tokenOf('{Admin,administrator,"admin.x"}', 'account admin'), 403],
    'a service': [{ token: (await post(w, '/oauth2/token', { grant_type: 'client_credentials' }, { basic: client })).json().access_token as string }, 403],
    'an administrator demoted a moment ago': [await tokenOf('{admin}', 'admin'), 403],
    'an administrator disabled a moment ago': [await tokenOf('{admin}', 'admin'), 401],
    'an administrator whose sessions were ended a moment ago': [await tokenOf('{admin}', 'admin'), 401],
    'an administrator deleted a moment ago': [await tokenOf('{admin}', 'admin'), 401],
  } as const satisfies Record<string, readonly [{ id?: string, token: string }, number]>
  const idOf = (name: keyof typeof everybody) => (everybody[name][0] as { id: string }).id
  // By hand, and in no feed: only the database knows.
  await w.sql("UPDATE users SET roles = '{support}' WHERE id = $1", [idOf('an administrator demoted a moment ago')])
  await w.sql('UPDATE users SET status = 2 WHERE id = $1', [idOf('an administrator disabled a moment ago')])
  await w.sql('UPDATE users SET epoch = epoch + 1 WHERE id = $1', [idOf('an administrator whose sessions were ended a moment ago')])
  await w.sql('DELETE FROM users WHERE id = $1', [idOf('an administrator deleted a moment ago')])
  const before = await w.sql('SELECT * FROM users ORDER BY id')
  t.ok(operations.length >= 10)
  for (const [who, [{ token }, status]] of Object.entries(everybody)) {
    for (const [method, path] of operations) {
      const answer = await w.call(method, path, { bearer: token, ...method !== 'GET' && method !== 'DELETE' && { body: {} } })
      t.match([answer.statusCode, answer.json().code], [status, status === 401 ? 'invalid_token' : 'insufficient_scope'], `${who}: ${method} ${path}`)
    }
  }
  t.strictSame(await w.sql('SELECT * FROM users ORDER BY id'), before)
})

t.test('nothing but what is documented reaches an account, and nothing of another type', async t => {
  const w = await world(t)
  const admin = await newAdmin(w)
  const { id } = await w.signUp()
  const headers = { 'if-match': (await admin.call('GET', `/users/${id}`)).headers['etag'] as string }
  const before = await w.sql('SELECT * FROM users ORDER BY id')
  const foreign = { id: '01930f4e-8a3b-7c2d-9e1f-0a1b2c3d4e5f', password: 'a long enough pass phrase', password_hash: '$argon2id$', epoch: 9, email_verified_at: '2026-01-01', created_at: '2026-01-01', profile: {}, is_admin: true, has_password: true, fail_known: 0, isAdmin: true, emailVerified: true }
  const wrong = [{ not: '' }, { contains: '@' }, { gt: '' }, [], ['a'], 1, true]
  const values: Record<string, unknown[]> = {
    email: [...wrong, null, '', 'no address', 'a@b.example\u0000'], name: [...wrong, '', 'x'.repeat(201)], locale: [...wrong, '', 'german!', '../de'], email_verified: ['true', 1, null, {}, []],
    roles: ['admin', { 0: 'admin' }, [1], [['admin']], [{}], [''], ['a b'], ['a,b'], ['a\n'], ['x'.repeat(65)], ['a', 'a'], null, Array.from({ length: 65 }, (_, at) => `r${at}`)],
    claims: ['{}', [], 1, null, { sub: 'x' }, { roles: ['admin'] }, { ver: 0 }],
  }
  for (const [member, its] of [...Object.entries(values), ...Object.entries(foreign).map(([member, value]) => [member, [value]] as const), ['status', ['active!', 1, null, {}]] as const, ['send_invitation', ['no', 0, null]] as const]) {
    for (const value of its) {
      const shown = `${member}: ${JSON.stringify(value)?.slice(0, 40)}`
      t.equal((await admin.call('POST', '/users', { email: 'new@mail.test', [member]: value })).statusCode, 400, `create with ${shown}`)
      t.equal((await admin.call('PATCH', `/users/${id}`, { [member]: value }, { headers })).statusCode, 400, `patch with ${shown}`)
    }
  }
  for (const [name, body] of Object.entries({ empty: {}, array: [], 'nothing at all': undefined })) t.equal((await admin.call('PATCH', `/users/${id}`, body, { headers })).statusCode, 400, name)
  for (const path of ['/users/x', '/users/1', `/users/${id.toUpperCase()}`, `/users/${id}%00`, '/users/constructor', `/users/${id}'--`]) t.ok([400, 404].includes((await admin.call('GET', path)).statusCode), path)
  for (const query of ['email[not]=', 'email[contains]=@', 'email=a&email=b', 'role[]=admin', 'role=%27%20OR%201=1', 'status=2', 'verified=1', 'limit=0', 'limit=101', 'limit=-1', 'limit=1e1', 'limit=', 'offset=1', 'cursor=', 'cursor=x', 'cursor=__proto__', 'email_prefix=%25', 'email_prefix=%00', '__proto__=1', 'constructor=1', 'order=asc']) {
    const answer = await admin.call('GET', `/users?${query}`)
    // "%" is a character like any other in a prefix, and no address begins with it.
    t.ok(query === 'email_prefix=%25' ? answer.json().items.length === 0 : answer.statusCode === 400, `${query} → ${answer.statusCode}`)
  }
  t.strictSame(await w.sql('SELECT * FROM users ORDER BY id'), before)
})
