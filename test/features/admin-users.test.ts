import { randomUUID } from 'node:crypto'
import t from 'tap'
import { newAdmin, type AdminUser } from '../helpers/admin.ts'
import { PASSWORD, world, type World } from '../helpers/world.ts'

const events = async ({ sql }: World, id: string) => await sql<{ type: string, actor: string, data: unknown }>('SELECT type, actor, data FROM audit_event WHERE user_id = $1 AND actor LIKE \'admin:%\' ORDER BY at, type', [id])
const mails = async ({ sql }: World, kind: string) => (await sql<{ data: Record<string, unknown> }>("SELECT data FROM pgboss.job WHERE name = 'email' AND data->>'kind' = $1", [kind])).map(({ data }) => data)

t.test('an administrator creates a user, who is invited and never gets a password from anybody else', async t => {
  const w = await world(t)
  const admin = await newAdmin(w)
  const answer = await admin.call('POST', '/users', { email: ' Ada@Mail.Test ', name: 'Ada', roles: ['support'], claims: { tenant: 'acme' }, locale: 'de' })
  t.equal(answer.statusCode, 201)
  const ada = answer.json<AdminUser>()
  t.match(ada, { email: 'ada@mail.test', email_verified: false, name: 'Ada', status: 'active', roles: ['support'], claims: { tenant: 'acme' }, locale: 'de', has_password: false })
  t.strictSame(await mails(w, 'invitation'), [{ kind: 'invitation', user_id: ada.id }])
  t.strictSame(await events(w, ada.id), [{ type: 'account.created', actor: `admin:${admin.id}`, data: { roles: ['support'], invited: true } }])
  const read = await admin.call('GET', `/users/${ada.id}`)
  t.strictSame(read.json(), ada)
  t.match(read.headers['etag'], /^"[\w-]{22}"$/)
  t.equal((await w.call('POST', '/v1/auth/login', { body: { email: 'ada@mail.test', password: PASSWORD } })).statusCode, 401)

  t.match((await admin.call('POST', '/users', { email: 'ADA@mail.test' })).json(), { status: 409, code: 'email_taken' })
  t.equal((await admin.call('POST', '/users', { email: 'quiet@mail.test', send_invitation: false, email_verified: true })).json().email_verified, true)
  t.equal((await mails(w, 'invitation')).length, 1, 'one that is not to be invited gets no mail, and a refused one neither')
  t.match((await admin.call('GET', `/users/${randomUUID()}`)).json(), { status: 404, code: 'not_found' })
})

t.test('a user with a given id is created once, whoever repeats it, and is never overwritten by that', async t => {
  const w = await world(t)
  const admin = await newAdmin(w)
  const id = randomUUID()
  const nodes = [w, await w.anotherNode()]
  const body = { email: 'ada@mail.test', name: 'Ada', claims: { b: 1, a: [1, { d: 1, c: 2 }] } }
  const answers = await Promise.all(Array.from({ length: 6 }, async (_, at) => await admin.call('PUT', `/users/${id}`, body, { at: nodes[at % 2]! })))
  t.strictSame(answers.map(({ statusCode }) => statusCode).sort(), [200, 200, 200, 200, 200, 201])
  t.equal(new Set(answers.map(({ body, headers }) => body + String(headers['etag']))).size, 1)
  t.equal((await mails(w, 'invitation')).length, 1)
  t.match((await admin.call('PUT', `/users/${id}`, { ...body, claims: { a: [1, { c: 2, d: 1 }], b: 1 } })).statusCode, 200, 'members in another order are the same')
  t.match((await admin.call('PUT', `/users/${id}`, { ...body, roles: ['admin'] })).json(), { status: 412, code: 'precondition_failed' })
  t.match((await admin.call('PUT', `/users/${id}`, { ...body, email: 'eve@mail.test' })).json(), { status: 412 })
  t.match((await admin.call('PUT', `/users/${randomUUID()}`, body)).json(), { status: 409, code: 'email_taken' })
})

t.test('the tokens of a deleted user do not live again when another one gets the same id', async t => {
  const w = await world(t)
  const admin = await newAdmin(w)
  const session = await w.signIn()
  const { id } = session.user
  t.equal((await admin.call('DELETE', `/users/${id}`)).statusCode, 204)
  t.equal((await admin.call('PUT', `/users/${id}`, { email: 'eve@mail.test' })).statusCode, 201)
  t.equal((await w.refresh(session.refresh_token)).json().code, 'session_ended')
  await w.sql('DELETE FROM revocation')
  await w.ctx.revocations.reconcile()
  t.equal((await w.call('GET', '/v1/me', { bearer: session.access_token })).statusCode, 401)
})

t.test('of two administrators who read the same user on two nodes, only one can change it', async t => {
  const w = await world(t)
  const [first, second, other] = [await newAdmin(w), await newAdmin(w), await w.anotherNode()]
  const { id } = await w.signUp()
  const etagOf = async () => (await first.call('GET', `/users/${id}`)).headers['etag'] as string
  for (let round = 0; round < 10; round++) {
    const headers = { 'if-match': await etagOf() }
    const answers = await Promise.all([first.call('PATCH', `/users/${id}`, { name: `first ${round}` }, { headers }), second.call('PATCH', `/users/${id}`, { name: `second ${round}` }, { headers, at: other })])
    t.strictSame(answers.map(({ statusCode }) => statusCode).sort(), [200, 412], `round ${round}`)
    const winner = answers.find(({ statusCode }) => statusCode === 200)!
    t.equal(winner.headers['etag'], await etagOf(), 'who changed it knows the new version')
    t.equal(answers.find(({ statusCode }) => statusCode === 412)!.json().code, 'precondition_failed')
  }
  t.match((await first.call('PATCH', `/users/${id}`, { name: 'x' })).json(), { status: 400, code: 'invalid_request', errors: [{ pointer: '/headers/if-match', code: 'required' }] })
  for (const header of ['*', '', 'x', '"a", "b"', await etagOf() + ',']) t.equal((await first.call('PATCH', `/users/${id}`, { name: 'x' }, { headers: { 'if-match': header } })).statusCode, 400, `If-Match: ${header}`)
  t.equal((await first.call('PATCH', `/users/${id}`, { name: 'x' }, { headers: { 'if-match': `W/${await etagOf()}` } })).statusCode, 200, 'weakened on its way through a proxy')

  for (const change of ['email_verified_at = now()', 'epoch = epoch + 1', "claims = '{\"a\": 1}'", 'status = 2', 'updated_at = now()']) {
    const seen = await etagOf()
    await w.sql(`UPDATE users SET ${change} WHERE id = $1`, [id])
    t.not(await etagOf(), seen, change)
  }
})

t.test('a patch changes what it names, tells the mailboxes, and writes down who did it', async t => {
  const w = await world(t)
  const admin = await newAdmin(w)
  const { id, email } = await w.signUp()
  const patch = async (body: object, expected = 200) => {
    const answer = await admin.call('PATCH', `/users/${id}`, body, { headers: { 'if-match': (await admin.call('GET', `/users/${id}`)).headers['etag'] as string } })
    t.equal(answer.statusCode, expected, answer.body)
    return answer.json<AdminUser & { code: string, errors: object[] }>()
  }
  t.match(await patch({ email_verified: true, name: 'Ada', roles: ['a', 'b'] }), { email_verified: true, name: 'Ada', roles: ['a', 'b'] })
  t.match(await patch({ roles: ['b', 'c'], claims: { tenant: 'acme' }, locale: 'de', name: null }), { name: null, locale: 'de', claims: { tenant: 'acme' } })
  t.match(await patch({ email: 'New@Mail.test' }), { email: 'new@mail.test', email_verified: false, roles: ['b', 'c'] }, 'a new address is not confirmed because the old one was')
  t.strictSame(await mails(w, 'email_changed'), [{ kind: 'email_changed', user_id: id, old_email: email, new_email: 'new@mail.test' }])
  t.ok((await mails(w, 'verify_email')).some(mail => mail['email'] === 'new@mail.test'))
  t.match(await patch({ email: 'new@mail.test', name: null }), { email: 'new@mail.test' }, 'as it is already')
  t.strictSame(await events(w, id), [
    { type: 'email.verified', data: { verified: true } }, { type: 'profile.changed', data: { changed: ['name'] } }, { type: 'roles.changed', data: { added: ['a', 'b'], removed: [] } },
    { type: 'claims.changed', data: { changed: ['tenant'] } }, { type: 'profile.changed', data: { changed: ['name', 'locale'] } }, { type: 'roles.changed', data: { added: ['c'], removed: ['a'] } },
    { type: 'email.changed', data: { verified: false } },
  ].map(({ type, data }) => ({ type, actor: `admin:${admin.id}`, data })))
  t.equal((await patch({ email: admin.email }, 409)).code, 'email_taken')
  t.equal((await patch({ email: 'no address' }, 400)).code, 'invalid_request')
  t.equal((await patch({ claims: { sub: 'x' } }, 400)).code, 'invalid_request')
  t.equal((await patch({ claims: { text: 'x'.repeat(3_000) } }, 400)).code, 'claims_too_large')
  t.match(await patch({ email: 'again@mail.test', email_verified: true }), { email_verified: true })
})

t.test('disabling, or revoking sessions, ends every session everywhere in the same statement; a change of roles alone ends none', async t => {
  const w = await world(t)
  const [admin, other] = [await newAdmin(w), await w.anotherNode()]
  const { email, id } = await w.signUp()
  const patch = async (body: object) => await admin.call('PATCH', `/users/${id}`, body, { headers: { 'if-match': (await admin.call('GET', `/users/${id}`)).headers['etag'] as string } })
  const ended = async (work: () => Promise<unknown>, name: string) => {
    const session = await w.signIn(email)
    await work()
    t.equal((await w.verify(session.access_token)).statusCode, 401, `${name}: here at once`)
    await other.ctx.revocations.poll()
    t.equal((await w.verify(session.access_token, other)).statusCode, 401, `${name}: there with the next poll`)
    t.equal((await w.refresh(session.refresh_token, other)).json().code, 'session_ended', name)
  }
  const session = await w.signIn(email)
  await patch({ roles: ['support'] })
  t.equal((await w.verify(session.access_token)).statusCode, 200)
  const next = (await w.refresh(session.refresh_token)).json<{ access_token: string }>()
  t.strictSame(JSON.parse(Buffer.from(next.access_token.split('.')[1]!, 'base64url').toString()).roles, ['support'], 'they count from the next refresh on')

  await ended(async () => await patch({ roles: [], revoke_sessions: true }), 'roles with revoke_sessions')
  await ended(async () => await admin.call('POST', `/users/${id}/revoke-sessions`), 'revoke-sessions')
  await ended(async () => await admin.call('POST', `/users/${id}/disable`), 'disable')
  t.equal((await admin.call('POST', `/users/${id}/disable`)).statusCode, 204, 'again is the same')
  t.equal((await w.call('POST', '/v1/auth/login', { body: { email, password: PASSWORD } })).statusCode, 401)
  t.match((await admin.call('POST', `/users/${id}/password-reset`)).json(), { status: 400, code: 'invalid_request' })
  t.equal((await admin.call('POST', `/users/${id}/enable`)).statusCode, 204)
  await ended(async () => await patch({ status: 'disabled' }), 'status by patch')
  await patch({ status: 'active' })
  await ended(async () => await admin.call('DELETE', `/users/${id}`), 'delete')
  t.strictSame((await events(w, id)).map(({ type }) => type), ['roles.changed', 'roles.changed', 'sessions.ended', 'sessions.ended', 'account.disabled', 'account.enabled', 'account.disabled', 'account.enabled', 'account.deleted'])
  t.strictSame(await w.sql('SELECT FROM credential WHERE user_id = $1', [id]), [])
  t.match(await mails(w, 'account_deleted'), [{ email }])
  for (const [method, path] of [['DELETE', ''], ['POST', '/disable'], ['POST', '/unlock'], ['POST', '/password-reset'], ['POST', '/revoke-sessions']] as const) t.equal((await admin.call(method, `/users/${id}${path}`)).statusCode, 404, `${method} ${path} of nobody`)
})

t.test('an administrator unlocks an account, and has its owner mailed a link that nobody else sees', async t => {
  const w = await world(t)
  const admin = await newAdmin(w)
  const { id, email } = await w.signUp()
  await w.sql('UPDATE credential SET fail_unknown = 90, fail_known = 3 WHERE user_id = $1', [id])
  for (let again = 0; again < 2; again++) t.equal((await admin.call('POST', `/users/${id}/unlock`)).statusCode, 204)
  t.strictSame(await w.sql('SELECT fail_unknown, fail_known FROM credential WHERE user_id = $1', [id]), [{ fail_unknown: 0, fail_known: 0 }])
  const headers = { 'idempotency-key': 'reset-1' }
  t.strictSame((await admin.call('POST', `/users/${id}/password-reset`, undefined, { headers })).json(), { status: 'mail_queued' })
  const again = await admin.call('POST', `/users/${id}/password-reset`, undefined, { headers })
  t.match([again.statusCode, again.headers['idempotency-replayed'], again.body], [202, 'true', '{"status":"mail_queued"}'])
  t.match(await mails(w, 'reset_password'), [{ kind: 'reset_password', email }])
  t.strictSame((await events(w, id)).map(({ type }) => type), ['account.unlocked', 'password.reset_requested'])
})

t.test('nobody shuts themselves out, and of two who demote each other at once one stays', async t => {
  const w = await world(t)
  const [ada, eve, other] = [await newAdmin(w), await newAdmin(w), await w.anotherNode()]
  const etagOf = async (id: string) => (await ada.call('GET', `/users/${id}`)).headers['etag'] as string
  const headers = { 'if-match': await etagOf(ada.id) }
  for (const answer of [
    await ada.call('POST', `/users/${ada.id}/disable`), await ada.call('DELETE', `/users/${ada.id}`),
    await ada.call('PATCH', `/users/${ada.id}`, { status: 'disabled' }, { headers }), await ada.call('PATCH', `/users/${ada.id}`, { roles: ['support'] }, { headers }),
  ]) t.match(answer.json(), { status: 400, code: 'invalid_request', detail: /another administrator can/ })
  t.equal((await ada.call('PATCH', `/users/${ada.id}`, { name: 'Ada', roles: ['admin', 'support'] }, { headers })).statusCode, 200, 'anything else they may')

  const acts = [['disable', 'POST', '/disable'], ['delete', 'DELETE', '']] as const
  for (const [name, method, path] of acts) {
    const [one, two] = [await newAdmin(w), await newAdmin(w)]
    const answers = await Promise.all([one.call(method, `/users/${two.id}${path}`), two.call(method, `/users/${one.id}${path}`, undefined, { at: other })])
    const codes = answers.map(({ statusCode }) => statusCode).sort()
    t.equal(codes[0], 204, name)
    t.ok([401, 403].includes(codes[1]!), `${name}: ${codes.join()}`)
  }
  t.equal((await ada.call('POST', `/users/${eve.id}/disable`)).statusCode, 204)
})
