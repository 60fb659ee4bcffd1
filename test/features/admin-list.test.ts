import { randomUUID } from 'node:crypto'
import t from 'tap'
import { pageOf } from '../../src/core/lists/pages.ts'
import { newAdmin, type Admin, type AdminUser } from '../helpers/admin.ts'
import { world, type Node, type World } from '../helpers/world.ts'

type Page = { items: AdminUser[], next: string | null }

/** Users of every state, made at different times, and of addresses in no order. */
const populate = async ({ sql }: World, count: number) => await sql(`
  INSERT INTO users (id, email, status, email_verified_at, roles)
  SELECT (lpad(to_hex(1700000000000 + g), 12, '0') || '7' || substr(md5(g::text), 1, 3) || '8' || substr(md5(g::text), 4, 15))::uuid, (array['ada','bob','eve'])[1 + g % 3] || '.' || md5(g::text) || '@mail.test',
    1 + (g % 7 = 0)::int, CASE WHEN g % 2 = 0 THEN now() END, CASE WHEN g % 10 = 0 THEN array['support'] || CASE WHEN g % 20 = 0 THEN array['x'] ELSE '{}' END ELSE '{}' END
  FROM generate_series(1, ${count}) g`)

async function walk (admin: Admin, nodes: Node[], query: string, between: () => Promise<unknown> = async () => {}): Promise<AdminUser[]> {
  const seen: AdminUser[] = []
  for (let cursor: string | null = '', at = 0; cursor !== null; at++) {
    const answer = await admin.call('GET', `/users?${query}${cursor === '' ? '' : `&cursor=${cursor}`}`, undefined, { at: nodes[at % nodes.length]! })
    const { items, next } = answer.json<Page>()
    seen.push(...items)
    cursor = next
    await between()
  }
  return seen
}

t.test('walking the list over two nodes, every user is seen exactly once while others come and go', async t => {
  const w = await world(t)
  const [admin, other] = [await newAdmin(w), await w.anotherNode()]
  await populate(w, 120)
  const before = (await w.sql<{ id: string }>('SELECT id::text FROM users ORDER BY id DESC')).map(({ id }) => id)
  let added = 0
  const between = async () => {
    await w.sql('INSERT INTO users (id, email) VALUES ($1, $2), ($3, $4)', [`ffffffff-ffff-7fff-8fff-${String(added++).padStart(12, '0')}`, `new${added}@mail.test`, randomUUID(), `other${added}@mail.test`])
    // Also the one that the cursor stands on.
    if (added === 3) await w.sql('DELETE FROM users WHERE id = $1', [before[20]])
  }
  const ids = (await walk(admin, [w, other], 'limit=7', between)).map(({ id }) => id)
  t.equal(new Set(ids).size, ids.length, 'none twice')
  t.strictSame(before.filter(id => !ids.includes(id)), [], 'none missed')
  t.strictSame(ids, ids.toSorted().toReversed(), 'newest id first')
  t.ok(added > 15)
})

t.test('filters add up, and every page of each is right', async t => {
  const w = await world(t)
  const admin = await newAdmin(w)
  await populate(w, 120)
  const where: Record<string, string> = {
    '': 'true', 'status=active': 'status = 1', 'status=disabled': 'status = 2', 'verified=true': 'email_verified_at IS NOT NULL', 'verified=false': 'email_verified_at IS NULL',
    'status=active&verified=false': 'status = 1 AND email_verified_at IS NULL', 'status=disabled&verified=true': 'status = 2 AND email_verified_at IS NOT NULL',
    'role=support': "'support' = ANY(roles)", 'role=x&verified=true&status=active': "'x' = ANY(roles) AND status = 1 AND email_verified_at IS NOT NULL", 'role=nobody': 'false', 'role=admin': "'admin' = ANY(roles)",
  }
  for (const [query, condition] of Object.entries(where)) {
    const expected = (await w.sql<{ id: string }>(`SELECT id::text FROM users WHERE ${condition} ORDER BY id DESC`)).map(({ id }) => id)
    for (const limit of [9, 100]) t.strictSame((await walk(admin, [w], `${query}&limit=${limit}`)).map(({ id }) => id), expected, `${query} by ${limit}`)
  }
  for (const [prefix, condition] of Object.entries({ ada: "email LIKE 'ada%'", 'BOB.': "email LIKE 'bob.%'", 'ada.a': "email LIKE 'ada.a%'", _: 'false', '%25': 'false', 'zz~': 'false', 'eve.&status=disabled': "email LIKE 'eve.%' AND status = 2" })) {
    const expected = (await w.sql<{ email: string }>(`SELECT email FROM users WHERE ${condition} ORDER BY email`)).map(({ email }) => email)
    t.strictSame((await walk(admin, [w], `email_prefix=${prefix}&limit=9`)).map(({ email }) => email), expected, prefix)
  }
  const [{ email }] = await w.sql<{ email: string }>('SELECT email FROM users LIMIT 1') as [{ email: string }]
  t.strictSame((await walk(admin, [w], `email=%20${email.toUpperCase()}`)).map(user => user.email), [email])
  for (const other of ['nobody@mail.test', 'no address', email.slice(0, -1)]) t.strictSame(await walk(admin, [w], `email=${encodeURIComponent(other)}`), [])
})

t.test('a cursor is good for the list, the filters and the administrator that it was given to, for a day', async t => {
  const w = await world(t)
  const [admin, eve] = [await newAdmin(w), await newAdmin(w)]
  await populate(w, 20)
  const { next } = (await admin.call('GET', '/users?status=active&limit=5')).json<Page>()
  t.equal((await admin.call('GET', `/users?limit=7&status=active&cursor=${next}`)).statusCode, 200, 'with another limit, and its parameters in another order')
  const { keyring } = w.ctx
  const sealed = (list: string, query: object, clock: { now: () => number }) =>
    pageOf({ keyring, clock }, { status: 'active', sub: admin.id, ...query, list }, { rows: [1, 2], limit: 1, position: () => [randomUUID()] }).next!
  const own = sealed('users', {}, w.clock)
  t.equal((await admin.call('GET', `/users?status=active&cursor=${own}`)).statusCode, 200, 'control')
  const bad = {
    'of another filter': ['status=disabled', next!], 'without its filter': ['', next!], 'with one more filter': ['status=active&verified=true', next!],
    'of another list': ['status=active', sealed('clients', {}, w.clock)], 'of another administrator': ['status=active', sealed('users', { sub: eve.id }, w.clock)],
    'a day old': ['status=active', sealed('users', {}, { now: () => w.clock.now() - 86_401_000 })],
    'with a bit changed': ['status=active', `${next!.slice(0, 20)}${next![20] === 'A' ? 'B' : 'A'}${next!.slice(21)}`], cut: ['status=active', next!.slice(0, -2)], made: ['status=active', Buffer.from(JSON.stringify({ k: [randomUUID()], f: 'x', x: 9e9 })).toString('base64url')],
  }
  for (const [name, [query, cursor]] of Object.entries(bad)) t.match((await admin.call('GET', `/users?${query}&cursor=${cursor}`)).json(), { status: 400, code: 'invalid_cursor' }, name)
  t.match((await eve.call('GET', `/users?status=active&cursor=${next}`)).json(), { code: 'invalid_cursor' }, 'in the hands of another administrator')
  t.notMatch(Buffer.from(next!, 'base64url').toString('latin1'), /[0-9a-f]{8}|users|active/, 'it tells nothing')
})
