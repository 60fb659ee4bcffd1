import { randomUUID } from 'node:crypto'
import t from 'tap'
import { GRANT, newSigner, post } from '../helpers/oauth.ts'
import { operatorOf } from '../helpers/operator.ts'
import { world } from '../helpers/world.ts'

const CLIENTS = '/v1/admin/clients'

t.test('an operator registers a service, whose secret is shown once, sees it, and ends it with its tokens', async t => {
  const w = await world(t)
  const { call, sql } = w
  const { id: admin, bearer } = await operatorOf(w)
  const made = await call('POST', CLIENTS, { bearer, body: { name: 'billing', scope: 'invoices:read introspect' } })
  t.equal(made.statusCode, 201)
  const { client_secret: secret, ...client } = made.json()
  t.match(client, { name: 'billing', scope: 'invoices:read introspect', jwks: null, deleted_at: null })
  t.match(secret, /^[\w-]{43}$/)
  const granted = await post(w, '/oauth2/token', GRANT, { basic: { id: client.id, secret } })
  t.equal(granted.statusCode, 200)
  const token = granted.json().access_token
  t.equal((await w.verify(token)).statusCode, 200)

  for (const path of [CLIENTS, `${CLIENTS}/${client.id}`]) {
    const answer = await call('GET', path, { bearer })
    t.equal(answer.statusCode, 200)
    t.notMatch(answer.body, new RegExp(secret))
    t.notMatch(answer.body, /secret|digest/)
  }
  t.strictSame((await call('GET', `${CLIENTS}/${client.id}`, { bearer })).json(), client)
  for (let again = 0; again < 2; again++) t.equal((await call('DELETE', `${CLIENTS}/${client.id}`, { bearer })).statusCode, 204)
  t.equal((await w.verify(token)).statusCode, 401, 'here at once')
  t.equal((await post(w, '/oauth2/token', GRANT, { basic: { id: client.id, secret } })).statusCode, 401)
  t.type((await call('GET', `${CLIENTS}/${client.id}`, { bearer })).json().deleted_at, 'string', 'and can still be told whose it was')
  for (const method of ['GET', 'DELETE']) t.equal((await call(method, `${CLIENTS}/${randomUUID()}`, { bearer })).statusCode, 404)
  t.strictSame(await sql('SELECT type, actor, data->>\'client_id\' AS client FROM audit_event WHERE type LIKE \'client.%\' ORDER BY type'),
    ['client.created', 'client.deleted'].map(type => ({ type, actor: `admin:${admin}`, client: client.id })))
})

t.test('a service that signs with its own keys has no secret, and a private key is refused', async t => {
  const w = await world(t)
  const { bearer } = await operatorOf(w)
  const { jwks } = await newSigner()
  const made = await w.call('POST', CLIENTS, { bearer, body: { name: 'signs', jwks: JSON.parse(jwks) } })
  t.match(made.json(), { client_secret: null, scope: '', jwks: { keys: [{ kid: 'key-1', alg: 'ES256' }] } })
  const [key] = JSON.parse(jwks).keys
  for (const body of [
    { name: 'x', jwks: { keys: [{ ...key, d: 'AAAA' }] } }, { name: 'x', jwks: { keys: [] } }, { name: 'x', jwks: { keys: [{}] } }, { name: 'x', jwks },
    { name: 'x', scope: 'admin' }, { name: 'x', scope: 'a  b' }, { name: 'a\nb' }, { name: '' }, { name: 'x', secret: 'mine' }, { name: 'x', id: randomUUID() },
  ]) t.match([(await w.call('POST', CLIENTS, { bearer, body })).json(), JSON.stringify(body)], [{ code: 'invalid_request' }])
  t.strictSame(await w.sql('SELECT count(*)::int AS clients FROM client'), [{ clients: 1 }])
})

t.test('the same request with its key, at once on two nodes and again later, makes one client and shows its secret once', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  const { bearer } = await operatorOf(w)
  for (let round = 0; round < 10; round++) {
    const create = async (node: Pick<typeof w, 'call'>) => await node.call('POST', CLIENTS, { bearer, body: { name: `round ${round}` }, headers: { 'idempotency-key': `round-${round}` } })
    const answers = [...await Promise.all([create(w), create(other), create(w), create(other)]), await create(other)]
    t.ok(answers.every(({ statusCode }) => statusCode === 201))
    const bodies = answers.map(answer => answer.json())
    t.equal(new Set(bodies.map(({ id }) => id)).size, 1)
    t.strictSame(bodies.map(({ client_secret: secret }) => typeof secret).sort(), ['object', 'object', 'object', 'object', 'string'])
    for (const [i, answer] of answers.entries()) t.equal(answer.headers['idempotency-replayed'], bodies[i].client_secret === null ? 'true' : undefined)
  }
  t.strictSame(await w.sql('SELECT count(*)::int AS clients, (SELECT count(*)::int FROM audit_event WHERE type = \'client.created\') AS events FROM client'), [{ clients: 10, events: 10 }])
  t.equal((await w.call('POST', CLIENTS, { bearer, body: { name: 'another' }, headers: { 'idempotency-key': 'round-0' } })).json().code, 'idempotency_key_reused')
})

t.test('the list is read in pages, newest first, each client once, while others are made', async t => {
  const w = await world(t)
  const { bearer } = await operatorOf(w)
  const { bearer: foreign } = await operatorOf(w)
  const make = async (name: string) => (await w.call('POST', CLIENTS, { bearer, body: { name } })).json().id as string
  const made: string[] = []
  for (let i = 0; i < 7; i++) made.push(await make(`client ${i}`))
  const seen: string[] = []
  let cursor: string | null = null
  do {
    const page = (await w.call('GET', `${CLIENTS}?limit=3${cursor ? `&cursor=${cursor}` : ''}`, { bearer })).json() as { items: { id: string }[], next: string | null }
    seen.push(...page.items.map(({ id }) => id))
    if (page.next) t.equal((await w.call('GET', `${CLIENTS}?cursor=${page.next}`, { bearer: foreign })).json().code, 'invalid_cursor', 'a cursor is for whom it was given to')
    cursor = page.next
    if (cursor) await make('in between')
  } while (cursor !== null)
  t.strictSame(seen, made.toReversed())
})
