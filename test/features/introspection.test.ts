import { decodeJwt } from 'jose'
import * as oauth from 'oauth4webapi'
import t from 'tap'
import { COMMAND_LINE } from '../../src/core/audit/events.ts'
import { buildApp } from '../../src/app.ts'
import { databaseLink } from '../helpers/database-link.ts'
import { freshDatabase } from '../helpers/database.ts'
import { forgeFrom } from '../helpers/forge.ts'
import { hostileTokens, watchedUrl } from '../helpers/hostile-tokens.ts'
import { assertion, assertionForm, basicOf, newClient, newSigner, post, tokenOf } from '../helpers/oauth.ts'
import { listening } from '../helpers/socket.ts'
import { until } from '../helpers/until.ts'
import { world } from '../helpers/world.ts'

const INTROSPECT = '/oauth2/introspect'

t.test('introspection says what the token says: of a user everything, of a service no more than it has', async t => {
  const w = await world(t)
  const client = await newClient(w)
  const { access_token: token } = await w.signIn()
  const answer = await post(w, INTROSPECT, { token }, { basic: client })
  t.match([answer.statusCode, answer.headers['cache-control']], [200, 'no-store'])
  t.strictSame(answer.json(), { active: true, token_type: 'Bearer', ...decodeJwt(token) })
  const own = await tokenOf(w, client)
  t.strictSame((await post(w, INTROSPECT, { token: own }, { basic: client })).json(), { active: true, token_type: 'Bearer', ...decodeJwt(own) })
  for (const hint of ['access_token', 'refresh_token', 'nonsense']) t.equal((await post(w, INTROSPECT, { token, token_type_hint: hint }, { basic: client })).json().active, true, hint)
})

t.test('an independent client library introspects by every way to authenticate', async t => {
  const w = await world(t, { PUBLIC_URL: 'http://127.0.0.1:1' })
  const { url } = await listening(t, w)
  const as: oauth.AuthorizationServer = { issuer: 'http://127.0.0.1:1', introspection_endpoint: `${url}${INTROSPECT}` }
  const { access_token: token, refresh_token: refresh, user } = await w.signIn()
  const signer = await newSigner()
  const [client, keyed] = [await newClient(w), await newClient(w, { jwks: signer.jwks })]
  const ways: [string, string, oauth.ClientAuth][] = [
    ['basic', client.id, oauth.ClientSecretBasic(client.secret)], ['post', client.id, oauth.ClientSecretPost(client.secret)], ['assertion', keyed.id, oauth.PrivateKeyJwt({ key: signer.privateKey, kid: signer.kid })],
  ]
  for (const [name, id, way] of ways) {
    const ask = async (text: string) => await oauth.processIntrospectionResponse(as, { client_id: id }, await oauth.introspectionRequest(as, { client_id: id }, way, text, { [oauth.allowInsecureRequests]: true }))
    t.match(await ask(token), { active: true, sub: user.id, token_type: 'Bearer', scope: 'account' }, name)
    t.strictSame(await ask(refresh), { active: false }, name)
  }
})

t.test('whatever is not a living access token is inactive, and nothing more is said', async t => {
  const w = await world(t)
  const client = await newClient(w)
  const { access_token: good, refresh_token: refreshToken } = await w.signIn()
  const forged = forgeFrom(w.ctx, good)
  const { url, connections } = await watchedUrl(t)
  const groups = await hostileTokens({ forged, good, refreshToken, now: Math.floor(w.clock.now() / 1000), elsewhere: url, jwks: '' })
  const signer = await newSigner()
  const shapes: Record<string, string> = Object.assign({
    'a word': 'x', 'a number': '7', 'an assertion': await assertion(signer, client.id, w.config.publicUrl), 'the secret of the caller': client.secret, spaces: '   ', emoji: '😀', 'a space in front': ` ${good}`, 'a line break behind': `${good}\n`,
    'sixty kilobytes': 'x'.repeat(60_000), 'sixty kilobytes of dots': '.'.repeat(60_000),
  }, ...Object.values(groups))
  for (const [name, token] of Object.entries(shapes)) {
    if (token.includes('\0')) continue
    const answer = await post(w, INTROSPECT, { token }, { basic: client })
    t.strictSame([answer.statusCode, answer.body], [200, '{"active":false}'], name)
  }
  t.ok(Object.keys(shapes).length > 200)
  t.equal(connections(), 0, 'nothing was fetched')
  t.equal((await post(w, INTROSPECT, { token: good }, { basic: client })).json().active, true, 'control')
})

t.test('every kind of ending makes a token inactive on every node within two seconds', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  const client = await newClient(w)
  await other.ctx.clients.reload()
  const activeAt = async (node: Parameters<typeof post>[0], token: string) => (await post(node, INTROSPECT, { token }, { basic: client })).json().active
  const { revocationId } = await import('../../src/lib/digest.ts')
  for (const kind of ['s', 'u', 'j', 'a'] as const) {
    const { access_token: token } = await w.signIn()
    const { sid, sub, jti, iat } = decodeJwt(token)
    t.equal(await activeAt(other, token), true, kind)
    const value = { s: String(sid), u: sub!, j: jti!, a: '' }[kind]
    await w.sql("INSERT INTO revocation (kind, id, val, expires_at) VALUES ($1, $2, $3, now() + interval '10 min')", [kind, revocationId(kind, value), { s: 0, u: 9, j: 0, a: iat! + 1 }[kind]])
    for (const node of [w, other]) await t.resolves(until(async () => await activeAt(node, token) === false, 4_000), kind)
  }
})

t.test('who may ask: a client, or a bearer whose token has the scope for it', async t => {
  const w = await world(t)
  const [client, asker] = [await newClient(w), await newClient(w, { scope: 'introspect things:read' })]
  const { access_token: token } = await w.signIn()
  const bearer = await tokenOf(w, asker)
  t.equal((await post(w, INTROSPECT, { token }, { bearer })).json().active, true)
  t.equal((await post(w, INTROSPECT, { token: bearer }, { bearer })).json().client_id, asker.id, 'also about itself')

  const refused: [string, { bearer?: string, basic?: string | typeof client, headers?: Record<string, string> }, Record<string, string>, number, string][] = [
    ['nobody', {}, {}, 401, 'invalid_client'],
    ['a wrong secret', { basic: { ...client, secret: 'x' } }, {}, 401, 'invalid_client'],
    ['a user', { bearer: token }, {}, 403, 'insufficient_scope'],
    ['a service without the scope', { bearer: await tokenOf(w, asker, { scope: 'things:read' }) }, {}, 403, 'insufficient_scope'],
    ['a bearer of nothing', { bearer: 'a.b.c' }, {}, 401, 'invalid_token'],
    ['a bearer without a token', { headers: { authorization: 'Bearer' } }, {}, 401, 'invalid_token'],
    ['a bearer and a client', { bearer }, { client_id: client.id, client_secret: client.secret }, 400, 'invalid_request'],
    ['a bearer and a client that is none', { bearer }, { client_id: client.id, client_secret: 'x' }, 400, 'invalid_request'],
    ['a token in the form', {}, { access_token: bearer }, 401, 'invalid_client'],
  ]
  for (const [name, who, form, status, error] of refused) {
    const answer = await post(w, INTROSPECT, { token, ...form }, who)
    t.match([answer.statusCode, answer.json().error], [status, error], name)
    if (status === 401) t.match(answer.headers['www-authenticate'], error === 'invalid_token' ? 'Bearer error="invalid_token"' : 'Basic realm="clients"', name)
  }
  const { deleteClient } = await import('../../src/core/clients/store.ts')
  await deleteClient(w.ctx, asker.id, COMMAND_LINE)
  await w.ctx.revocations.poll()
  t.equal((await post(w, INTROSPECT, { token }, { bearer })).json().error, 'invalid_token', 'until its client is deleted')
})

t.test('introspection asks the database nothing, and goes on while it is away', async t => {
  const link = await databaseLink(t, await freshDatabase(t))
  const w = await world(t, { DATABASE_URL: link.url })
  const signer = await newSigner()
  const [client, asker, keyed] = [await newClient(w), await newClient(w, { scope: 'introspect' }), await newClient(w, { jwks: signer.jwks })]
  const bearer = await tokenOf(w, asker)
  const { access_token: token, refresh_token: refresh } = await w.signIn()
  const proof = assertionForm(await assertion(signer, keyed.id, w.config.publicUrl))
  for (const cache of [w.ctx.revocations, w.ctx.keyring, w.ctx.clients]) cache.stop()
  await w.ctx.revocations.poll()

  const round = async () => {
    const answers = await Promise.all([
      post(w, INTROSPECT, { token }, { basic: client }), post(w, INTROSPECT, { token }, { bearer }), post(w, INTROSPECT, { token, ...proof }),
      post(w, INTROSPECT, { token: refresh }, { basic: client }), post(w, INTROSPECT, { token: `${token}x` }, { basic: client }), post(w, INTROSPECT, { token: 'x' }, { basic: client }),
      post(w, INTROSPECT, { token }, { basic: { ...client, secret: 'x' } }), post(w, INTROSPECT, { token }), post(w, INTROSPECT, { token }, { basic: { id: '01930f4e-8a3b-7c2d-9e1f-0a1b2c3d4e5f', secret: 'x' } }),
    ])
    return answers.map(answer => answer.json().active ?? answer.json().error)
  }
  const expected = [true, true, true, false, false, false, 'invalid_client', 'invalid_client', 'invalid_client']
  link.statements.length = 0
  t.strictSame(await round(), expected)
  t.strictSame(link.statements, [], 'no statement for any of them')
  await link.cut()
  t.strictSame(await round(), expected, 'and the same without a database')
  const { forge } = forgeFrom(w.ctx, token)
  t.strictSame((await post(w, INTROSPECT, { token: forge({ header: { kid: 'unheard-of' } }) }, { basic: client })).json(), { active: false }, 'a key that cannot be looked up is no key')
})

t.test('where there is no database nobody is a client, and a bearer with the scope may still ask', async t => {
  const w = await world(t)
  const client = await newClient(w, { scope: 'introspect' })
  const bearer = await tokenOf(w, client)
  const { access_token: token } = await w.signIn()
  const app = await buildApp({ ...w.ctx, clients: undefined } as never)
  t.teardown(async () => await app.close())
  const ask = async (authorization: string) => (await app.inject({ method: 'POST', url: INTROSPECT, headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' }, payload: `token=${token}` })).json()
  t.match(await ask(`Bearer ${bearer}`), { active: true })
  t.match(await ask(basicOf(client)), { error: 'invalid_client' })
})
