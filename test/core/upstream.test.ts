import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { generateKey } from '../../src/core/keys/generate.ts'
import { parseRelayDocument } from '../../src/core/upstream/document.ts'
import { UpstreamEndings } from '../../src/core/upstream/endings.ts'
import { UpstreamKeys } from '../../src/core/upstream/keys.ts'
import { Upstream } from '../../src/core/upstream/upstream.ts'
import { revocationId } from '../../src/lib/digest.ts'
import { silent } from '../helpers/open.ts'

const ISSUER = 'https://auth.example.com'
const FEED = '51ab1f3e-0000-4000-8000-000000000001'
const OTHER = '51ab1f3e-0000-4000-8000-000000000002'
const SESSIONS = ['one', 'two', 'three'] as const

type Given = { status?: number, body: unknown, headers?: Record<string, string> }

/** Whatever an upstream may answer, also one that is none. */
async function setUp (t: Test) {
  const answers = new Map<string, Given>()
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url!)
    const { status = 200, body, headers } = answers.get(request.url!.split('?', 1)[0]!) ?? { status: 404, body: null }
    response.writeHead(status, headers).end(typeof body === 'string' || body instanceof Buffer ? body : JSON.stringify(body))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close(); server.closeAllConnections() })
  const upstream = new Upstream(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const { kid, alg, publicJwk } = await generateKey('ES256')
  const jwk = { ...publicJwk, kid, alg, use: 'sig' }
  const clock = { now: () => Date.now() }
  const give = (path: string, body: unknown, more: Omit<Given, 'body'> = {}) => { answers.set(path, { body, ...more }) }
  give('/.well-known/oauth-authorization-server', { issuer: ISSUER })
  give('/.well-known/jwks.json', { keys: [jwk] })
  const keys = new UpstreamKeys({ upstream, clock, log: silent, issuer: ISSUER, jwksMaxAgeSeconds: 300, isRevoked: () => false })
  const endings = new UpstreamEndings({ upstream, log: silent, confirmIssuer: async () => await keys.reload() })
  t.teardown(() => { keys.stop(); endings.stop() })
  return { give, keys, endings, kid, jwk, asked }
}

const now = Date.now() / 1000
const entry = (sid: string, xid = 100, more: unknown[] = []) => ['s', revocationId('s', sid).toString('base64url'), now + 600.123456, 0, String(xid), ...more]
const document = (more: object = {}, { xmin = 200, feed = FEED } = {}) => ({ v: 1, feed, cursor: `${feed}.${xmin}.0000000000000000`, as_of: now, ttl: 720, full: true, e: [entry('one')], ...more })
const ended = (endings: UpstreamEndings) => SESSIONS.filter(sid => endings.isRevoked({ sid, jti: 'j', sub: 's', ver: 1, iat: now }, 'kid'))

t.test('an upstream that answers something else than a document of its feed changes nothing', async t => {
  const { give, endings } = await setUp(t)
  give('/v1/revocations', document())
  await endings.poll()
  t.strictSame(ended(endings), ['one'])
  const { state: { xmin, asOf } } = endings
  const newer = { as_of: now + 1 }
  const [kind, id, exp, val, xid] = entry('two')
  const garbage: Record<string, unknown> = {
    nothing: '', text: 'hello', HTML: '<html></html>', null: null, 'an array': [], 'a number': 7, 'another version': document({ ...newer, v: 2 }),
    'no cursor': document({ ...newer, cursor: undefined }), 'a cursor of another feed': document({ ...newer, cursor: `${OTHER}.200.0000000000000000` }),
    'a cursor that is none': document({ ...newer, cursor: 'x' }), 'as_of in text': document({ as_of: String(now + 1) }), 'as_of beyond any date': document({ as_of: 1e300 }),
    'no ttl': document({ ...newer, ttl: null }), 'full in text': document({ ...newer, full: 'true' }), 'no entries': document({ ...newer, e: null }), 'entries in an object': document({ ...newer, e: {} }),
    'half of it': JSON.stringify(document(newer)).slice(0, -20),
  }
  for (const [what, bad] of Object.entries({
    'no transaction': [kind, id, exp, val], 'a transaction as a number': [kind, id, exp, val, 100], 'a negative transaction': [kind, id, exp, val, '-1'], 'a long kind': ['session', id, exp, val, xid],
    'a short id': [kind, 'abc', exp, val, xid], 'an id in another alphabet': [kind, 'a'.repeat(15) + '+', exp, val, xid], 'no end': [kind, id, null, val, xid], 'a fraction as value': [kind, id, exp, 0.5, xid],
    'a value too many': [kind, id, exp, val, xid, 1], text: 'entry', null: null, 'an object': { kind, id },
  })) garbage[`an entry with ${what}`] = document({ ...newer, full: true, e: [entry('three'), bad] })
  t.ok(parseRelayDocument(document(newer)), 'control')
  for (const [what, body] of Object.entries(garbage)) t.throws(() => parseRelayDocument(body), { name: 'UpstreamError' }, what)
  for (const what of ['nothing', 'HTML', 'half of it', 'no cursor', 'an entry with no end']) {
    give('/v1/revocations', garbage[what])
    await t.rejects(endings.poll(), { name: 'UpstreamError' }, what)
    t.strictSame(ended(endings), ['one'], what)
    t.strictSame([endings.state.xmin, endings.asOf], [xmin, asOf], what)
  }
  for (const status of [204, 301, 500]) {
    give('/v1/revocations', status === 204 ? '' : document(newer), { status, headers: { location: '/v1/elsewhere' } })
    await t.rejects(endings.poll(), { message: `it answered ${status} to /v1/revocations` })
  }
  give('/v1/revocations', document({ ...newer, full: false, e: [entry('two', 250)] }))
  await endings.poll()
  t.strictSame(ended(endings), ['one', 'two'], 'and what is right is taken')
})

t.test('an upstream that answers no key set, a broken one or an endless one changes nothing', async t => {
  const { give, keys, kid, jwk } = await setUp(t)
  await keys.reload()
  t.ok(keys.find('at', kid))
  const rsa = await generateKey('RS256')
  const bad: Record<string, unknown> = {
    text: 'keys', null: null, 'no keys': {}, 'an empty set': { keys: [] }, 'keys in an object': { keys: {} }, 'too many': { keys: Array.from({ length: 101 }, () => jwk) }, 'one twice': { keys: [jwk, jwk] },
    'a point off the curve': { keys: [{ ...jwk, x: Buffer.alloc(32, 7).toString('base64url') }] }, 'another curve': { keys: [{ ...jwk, crv: 'P-384' }] },
    'a kid that is a path': { keys: [{ ...jwk, kid: '../x' }] }, 'no kid': { keys: [{ ...jwk, kid: undefined }] }, 'only kinds unknown here': { keys: [{ kty: 'OKP', alg: 'Ed25519', use: 'sig', kid: 'x', x: 'x' }] },
    'an RSA key called ES256': { keys: [{ ...rsa.publicJwk, kid: 'x', alg: 'ES256', use: 'sig' }] }, 'a good one and a broken one': { keys: [jwk, { ...jwk, kid: 'y', y: '' }] },
    'more than a megabyte': ' '.repeat(1_100_000) + JSON.stringify({ keys: [jwk] }),
  }
  for (const [what, body] of Object.entries(bad)) {
    give('/.well-known/jwks.json', body)
    await t.rejects(keys.reload(), { name: 'UpstreamError' }, what)
    t.ok(keys.find('at', kid), what)
    t.equal(keys.published().length, 1, what)
  }
  give('/.well-known/jwks.json', { keys: [{ ...jwk, kid: 'new', d: 'private' }, { kty: 'OKP', alg: 'Ed25519', use: 'sig', kid: 'x', x: 'x' }] })
  for (const issuer of [`${ISSUER}/`, 'https://evil.example', null, undefined, [ISSUER]]) {
    give('/.well-known/oauth-authorization-server', { issuer })
    await t.rejects(keys.reload(), { message: /another issuer/ }, JSON.stringify(issuer))
    t.ok(keys.find('at', kid))
  }
  give('/.well-known/oauth-authorization-server', { issuer: ISSUER })
  await keys.reload()
  t.notOk(keys.find('at', kid), 'the set is replaced as a whole')
  t.strictSame(Object.keys(keys.published()[0]!.public!.jwk).sort(), ['crv', 'kty', 'x', 'y'], 'public members only; a kind unknown here is left out')
})

t.test('an answer from before what is known takes nothing away and moves nothing back', async t => {
  const { give, endings } = await setUp(t)
  give('/v1/revocations', document({ e: [entry('one'), entry('two', 150)] }))
  await endings.poll()
  give('/v1/revocations', document({ as_of: now - 5, e: [entry('three', 90)] }, { xmin: 120 }))
  await t.rejects(endings.poll(), { message: /from before what is known/ })
  t.strictSame(ended(endings), ['one', 'two', 'three'], 'what it names has ended all the same')
  t.strictSame([endings.state.xmin, endings.asOf], [200n, now])
})

t.test('an upstream whose database went back in time is followed there, all of it anew', async t => {
  const { give, endings } = await setUp(t)
  give('/v1/revocations', document({ e: [entry('one'), entry('two', 150)] }))
  await endings.poll()
  give('/v1/revocations', document({ as_of: now + 1, e: [entry('three', 90)] }, { xmin: 120 }))
  await endings.poll()
  t.strictSame(ended(endings), ['three'])
  t.equal(endings.state.xmin, 120n)
  give('/v1/revocations', document({ as_of: now + 2, e: [entry('one', 5)] }, { xmin: 7, feed: OTHER }))
  await endings.poll()
  t.strictSame([ended(endings), endings.state.feed, endings.state.xmin], [['one'], OTHER, 7n], 'another installation of the same issuer')
})

t.test('another feed is believed only from an upstream that still speaks for the issuer', async t => {
  const { give, endings } = await setUp(t)
  give('/v1/revocations', document())
  await endings.poll()
  give('/.well-known/oauth-authorization-server', { issuer: 'https://evil.example' })
  give('/v1/revocations', document({ as_of: now + 1, e: [] }, { feed: OTHER }))
  await t.rejects(endings.poll(), { message: /another issuer/ })
  t.strictSame([ended(endings), endings.state.feed], [['one'], FEED])
})

t.test('a reader that is ahead makes a relay ask until it is there, and not for ever', async t => {
  const { give, endings, asked } = await setUp(t)
  give('/v1/revocations', document())
  await endings.poll()
  const before = asked.length
  await Promise.all(Array.from({ length: 10 }, async () => await endings.poll(10_000n)))
  t.ok(asked.length - before >= 3 && asked.length - before <= 5, `${asked.length - before} requests for ten readers`)
})
