import { randomBytes } from 'node:crypto'
import t from 'tap'
import { startProcess, SHARED_KEK } from '../helpers/processes.ts'
import { world, type World } from '../helpers/world.ts'

const profileEvents = async ({ sql }: Pick<World, 'sql'>, id: string) =>
  (await sql<{ members: string[] }>('SELECT data->\'changed\' AS members FROM audit_event WHERE user_id = $1 AND type = \'profile.changed\' ORDER BY id', [id])).map(({ members }) => members)

async function signedIn (w: World) {
  const { id, email } = await w.signUp()
  const { access_token: bearer } = await w.signIn(email)
  return { id, email, bearer, patch: async (body: unknown, node: Pick<World, 'call'> = w) => await node.call('PATCH', '/v1/me', { bearer, body }), me: async () => (await w.call('GET', '/v1/me', { bearer })).json() }
}

t.test('what a user leaves out stays, what they give replaces, and null removes', async t => {
  const w = await world(t)
  const { id, email, patch, me } = await signedIn(w)
  t.match(await me(), { name: null, locale: null, profile: {} })
  const steps: [object, object][] = [
    [{ name: 'Ada', locale: 'EN-gb', profile: { zone: 'Europe/London', list: [1, 2], deep: { a: 1, b: 2 } } }, { name: 'Ada', locale: 'en-GB', profile: { zone: 'Europe/London', list: [1, 2], deep: { a: 1, b: 2 } } }],
    [{ profile: { list: null, deep: { c: 3 }, fresh: '😀' } }, { name: 'Ada', locale: 'en-GB', profile: { zone: 'Europe/London', deep: { c: 3 }, fresh: '😀' } }],
    [{ name: null, locale: null }, { name: null, locale: null, profile: { zone: 'Europe/London', deep: { c: 3 }, fresh: '😀' } }],
    [{ profile: null }, { name: null, locale: null, profile: {} }],
    [{ profile: { a: null } }, { name: null, locale: null, profile: {} }],
    [{}, { name: null, locale: null, profile: {} }],
  ]
  for (const [body, expected] of steps) {
    const answer = await patch(body)
    const { name, locale, profile, ...rest } = answer.json()
    t.strictSame([answer.statusCode, { name, locale, profile }], [200, expected], JSON.stringify(body))
    t.match(rest, { id, email, roles: [], email_verified: false })
    t.strictSame(await me(), answer.json())
  }
  t.strictSame(await profileEvents(w, id), [['name', 'locale', 'profile'], ['profile'], ['name', 'locale'], ['profile']], 'and what changed nothing is no event')
})

t.test('a user cannot write what is not theirs: verified flags, roles, claims, the epoch', async t => {
  const w = await world(t)
  const { id, patch } = await signedIn(w)
  const [before] = await w.sql('SELECT * FROM users WHERE id = $1', [id])
  for (const member of ['email_verified', 'emailVerified', 'email', 'roles', 'role', 'claims', 'epoch', 'status', 'id', 'created_at', 'password', 'passwordHash', 'isAdmin', 'toString']) {
    const answer = await patch({ name: 'Eve', [member]: true })
    t.strictSame([answer.statusCode, answer.json().errors[0].pointer], [400, `/${member}`])
  }
  t.strictSame(await w.sql('SELECT * FROM users WHERE id = $1', [id]), [before])
  t.strictSame(await profileEvents(w, id), [])
})

t.test('a profile that is too large, too deep or poisoned is refused and changes nothing', async t => {
  const w = await world(t)
  const { id, patch, me } = await signedIn(w)
  await patch({ profile: { keep: 'x'.repeat(2_000) } })
  const nested = (depth: number): unknown => depth === 0 ? 1 : { a: nested(depth - 1) }
  const refused: [unknown, string, string][] = [
    [{ profile: { more: 'x'.repeat(2_100) } }, 'invalid_request', '/profile'],
    [{ profile: { more: 'x'.repeat(4_100) }, name: 'Eve' }, 'invalid_request', '/profile'],
    [{ profile: nested(7) }, 'invalid_request', '/profile'],
    [{ profile: { constructor: 1 } }, 'invalid_request', '/profile'],
    [{ profile: { a: [{ prototype: 1 }] } }, 'invalid_request', '/profile'],
    [{ profile: { toString: 'x' } }, 'invalid_request', '/profile'],
    [{ profile: [] }, 'invalid_request', '/profile'],
    [{ profile: 'x' }, 'invalid_request', '/profile'],
    [{ name: '' }, 'invalid_request', '/name'],
    [{ name: 'x'.repeat(201) }, 'invalid_request', '/name'],
    [{ name: 1 }, 'invalid_request', '/name'],
    [{ locale: 'not a tag' }, 'invalid_request', '/locale'],
    [{ locale: '' }, 'invalid_request', '/locale'],
    [{ locale: '../../etc' }, 'invalid_request', '/locale'],
    [{ locale: ['en'] }, 'invalid_request', '/locale'],
  ]
  for (const [body, code, pointer] of refused) {
    const answer = await patch(body)
    t.strictSame([answer.statusCode, answer.json().code, answer.json().errors?.[0].pointer], [400, code, pointer], JSON.stringify(body).slice(0, 60))
  }
  t.equal((await patch('{"profile":{"__proto__":{"a":1}}}')).statusCode, 415, 'and only as JSON')
  t.match(await me(), { name: null, locale: null, profile: { keep: 'x'.repeat(2_000) } })
  t.equal((await patch({ profile: { 'a/b~c': 'it is', '': 1, "x'); DROP TABLE users;--": [null, true, 1e300, -0.5] } })).statusCode, 200, 'but any name that is plain')
  t.strictSame((await me()).profile["x'); DROP TABLE users;--"], [null, true, 1e300, -0.5])
  t.strictSame(await profileEvents(w, id), [['profile'], ['profile']])
})

t.test('changes of different members at once on two nodes all hold, and each is an event', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  for (let round = 0; round < 5; round++) {
    const { id, patch, me } = await signedIn(w)
    const bodies = [{ name: 'Ada' }, { locale: 'de' }, ...Array.from({ length: 6 }, (_, at) => ({ profile: { [`m${at}`]: at } }))]
    const answers = await Promise.all(bodies.map(async (body, at) => await patch(body, at % 2 ? other : w)))
    t.strictSame(answers.map(({ statusCode }) => statusCode), answers.map(() => 200))
    t.match(await me(), { name: 'Ada', locale: 'de', profile: { m0: 0, m1: 1, m2: 2, m3: 3, m4: 4, m5: 5 } })
    t.equal((await profileEvents(w, id)).length, bodies.length)
    // Together they would be too large: one of them must see the other.
    const large = await Promise.all([w, other].map(async (node, at) => (await patch({ profile: { [`big${at}`]: 'x'.repeat(2_500) } }, node)).statusCode))
    t.strictSame(large.sort(), [200, 400])
  }
})

t.test('a token whose sessions have ended changes nothing, even where the feed has not been read', async t => {
  const w = await world(t)
  const { id, patch } = await signedIn(w)
  await w.sql('UPDATE users SET epoch = epoch + 1 WHERE id = $1', [id])
  const answer = await patch({ name: 'Eve' })
  t.match([answer.statusCode, answer.json().code], [401, 'invalid_token'])
  await w.sql('UPDATE users SET epoch = epoch - 1, status = 2 WHERE id = $1', [id])
  t.equal((await patch({ name: 'Eve' })).statusCode, 401)
  t.strictSame(await w.sql('SELECT name FROM users WHERE id = $1', [id]), [{ name: null }])
})

t.test('a node that dies before it answers has changed the profile and recorded it; asking again elsewhere changes nothing more', async t => {
  const w = await world(t, { KEY_ENCRYPTION_KEY: SHARED_KEK, PUBLIC_URL: 'http://localhost:3000' })
  const { id, bearer, patch, me } = await signedIn(w)
  const dying = await startProcess(t, w.databaseUrl, { env: { TEST_DIES_ANSWERING: 'PATCH /v1/me' }, preload: new URL('../helpers/die-before-answer.ts', import.meta.url).href })
  const name = randomBytes(4).toString('hex')
  await t.rejects(fetch(`${dying.url}/v1/me`, { method: 'PATCH', headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' }, body: JSON.stringify({ name }) }))
  t.equal((await me()).name, name)
  t.equal((await patch({ name })).statusCode, 200)
  t.strictSame(await profileEvents(w, id), [['name']])
})
