import { decodeJwt } from 'jose'
import * as oauth from 'oauth4webapi'
import t from 'tap'
import { databaseLink } from '../helpers/database-link.ts'
import { freshDatabase } from '../helpers/database.ts'
import { forgeFrom } from '../helpers/forge.ts'
import { newClient, post, tokenOf } from '../helpers/oauth.ts'
import { listening } from '../helpers/socket.ts'
import { until } from '../helpers/until.ts'
import { world, type World } from '../helpers/world.ts'

const REVOKE = '/oauth2/revoke'
const endings = async ({ sql }: World) => await sql('SELECT kind FROM revocation')

t.test('whoever holds a token of a session ends the session, on every node, by the refresh token or by the access token', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  for (const kind of ['refresh_token', 'access_token'] as const) {
    for (const hint of [undefined, 'access_token', 'refresh_token', 'nonsense']) {
      const tokens = await w.signIn()
      const answer = await post(w, REVOKE, { token: tokens[kind], ...(hint && { token_type_hint: hint }) })
      t.match([answer.statusCode, answer.body, answer.headers['cache-control']], [200, '', 'no-store'], `${kind}, called ${hint}`)
      t.equal((await w.verify(tokens.access_token)).statusCode, 401, 'at once here')
      t.equal((await w.refresh(tokens.refresh_token, other)).json().code, 'session_ended', 'refresh at once everywhere')
      await t.resolves(until(async () => (await w.verify(tokens.access_token, other)).statusCode === 401), 'and within two seconds elsewhere')
    }
  }
})

t.test('a token of a service is ended alone: its others live', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  const client = await newClient(w)
  const [ended, kept] = [await tokenOf(w, client), await tokenOf(w, client)]
  t.equal((await post(w, REVOKE, { token: ended })).statusCode, 200)
  t.equal((await w.verify(ended)).statusCode, 401)
  await t.resolves(until(async () => (await w.verify(ended, other)).statusCode === 401))
  for (const node of [w, other]) t.equal((await w.verify(kept, node)).statusCode, 200)
  t.strictSame(await w.sql('SELECT kind, val FROM revocation'), [{ kind: 'j', val: 0 }])
  t.equal((await post(w, REVOKE, { token: kept }, { basic: client })).statusCode, 200, 'its client ends the other')
  t.equal((await w.verify(kept)).statusCode, 401)
})

t.test('a token that is unknown, over or no token is the same 200, and ends nothing', async t => {
  const w = await world(t)
  const { access_token: access, refresh_token: refresh } = await w.signIn()
  const [at, rt] = [forgeFrom(w.ctx, access), forgeFrom(w.ctx, refresh)]
  const now = Math.floor(w.clock.now() / 1000)
  const nothing: Record<string, string> = {
    'a word': 'x', 'three parts': 'a.b.c', 'a space': ' ', 'a long word': 'x'.repeat(60_000),
    'an expired access token': at.forge({ claims: { exp: now - 61 } }), 'an expired refresh token': rt.forge({ key: rt.keyOf('rt'), claims: { exp: 1 } }),
    'a forged access token': at.forge({ signature: () => Buffer.alloc(64) }), 'a forged refresh token': rt.forge({ signature: () => Buffer.alloc(32) }),
    'an access token of another issuer': at.forge({ claims: { iss: 'https://evil.example' } }), 'an access token as refresh token': at.forge({ header: { typ: 'rt+jwt' } }),
    'a refresh token as access token': rt.forge({ key: rt.keyOf('rt'), header: { typ: 'at+jwt' } }),
    'a space in front': ` ${refresh}`, 'a line break behind': `${access}\n`, padding: `${refresh}=`, 'a space inside': access.replace('.', '. '),
  }
  for (const [name, token] of Object.entries(nothing)) t.match([(await post(w, REVOKE, { token })).statusCode, (await post(w, REVOKE, { token })).body], [200, ''], name)
  t.strictSame(await endings(w), [])
  t.equal((await w.verify(access)).statusCode, 200)
  t.equal((await w.refresh(refresh)).statusCode, 200)
})

t.test('a client that says who it is can end its own tokens only', async t => {
  const w = await world(t)
  const [client, stranger] = [await newClient(w), await newClient(w)]
  const { access_token: access, refresh_token: refresh } = await w.signIn()
  const own = await tokenOf(w, client)
  for (const [name, token] of Object.entries({ 'a user’s access token': access, 'a refresh token': refresh, 'a token of another client': own })) {
    const answer = await post(w, REVOKE, { token }, { basic: stranger })
    t.match([answer.statusCode, answer.json().error], [400, 'unauthorized_client'], name)
  }
  t.match((await post(w, REVOKE, { token: own }, { basic: { ...client, secret: 'x' } })).json(), { error: 'invalid_client' }, 'a wrong secret is not taken for none')
  t.match((await post(w, REVOKE, { token: own, client_id: client.id, client_secret: client.secret }, { basic: client })).json(), { error: 'invalid_request' })
  t.equal((await post(w, REVOKE, { token: 'x' }, { basic: stranger })).statusCode, 200, 'of an unknown token nothing is said')
  t.strictSame(await endings(w), [], 'nothing was ended')
  for (const token of [access, own]) t.equal((await w.verify(token)).statusCode, 200)
  for (const form of ['', 'token=', 'token_type_hint=access_token']) t.match((await post(w, REVOKE, form)).json(), { error: 'invalid_request' }, form)
})

t.test('an independent client library revokes, with a secret and without', async t => {
  const w = await world(t, { PUBLIC_URL: 'http://127.0.0.1:1' })
  const { url } = await listening(t, w)
  const as: oauth.AuthorizationServer = { issuer: 'http://127.0.0.1:1', revocation_endpoint: `${url}${REVOKE}` }
  const client = await newClient(w)
  const revoke = async (id: string, way: oauth.ClientAuth, token: string) =>
    await oauth.processRevocationResponse(await oauth.revocationRequest(as, { client_id: id }, way, token, { [oauth.allowInsecureRequests]: true }))
  const own = await tokenOf(w, client)
  await revoke(client.id, oauth.ClientSecretBasic(client.secret), own)
  t.equal((await w.verify(own)).statusCode, 401)
  const { access_token: access, refresh_token: refresh } = await w.signIn()
  await revoke('app', oauth.None(), refresh)
  t.equal((await w.verify(access)).statusCode, 401)
  await t.rejects(revoke(client.id, oauth.ClientSecretBasic(client.secret), (await w.signIn()).refresh_token), { code: 'OAUTH_RESPONSE_BODY_ERROR' })
})

t.test('the same token revoked at once on two nodes is one ending, answered alike', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  const client = await newClient(w)
  for (let round = 0; round < 10; round++) {
    const { access_token: access, refresh_token: refresh } = await w.signIn()
    const own = await tokenOf(w, client)
    const answers = await Promise.all([refresh, access, own].flatMap(token => [post(w, REVOKE, { token }), post(other, REVOKE, { token })]))
    t.strictSame(answers.map(({ statusCode }) => statusCode), answers.map(() => 200))
    const { sid } = decodeJwt(refresh)
    t.strictSame(await w.sql('SELECT gen FROM refresh_spent WHERE sid = $1', [sid]), [{ gen: 2_147_483_647 }])
    for (const node of [w, other]) await t.resolves(until(async () => (await Promise.all([access, own].map(async token => await w.verify(token, node)))).every(({ statusCode }) => statusCode === 401)))
  }
  t.equal((await endings(w)).filter(({ kind }) => kind === 's').length, 10, 'four requests ended each session once')
})

t.test('a revocation is one statement, none for what cannot live, and a repeated one writes nothing', async t => {
  const database = await freshDatabase(t)
  const link = await databaseLink(t, database)
  const w = await world(t, { DATABASE_URL: link.url })
  const client = await newClient(w)
  const own = await tokenOf(w, client)
  const { access_token: access, refresh_token: refresh } = await w.signIn()
  const second = await w.signIn()
  for (const cache of [w.ctx.revocations, w.ctx.keyring, w.ctx.clients]) cache.stop()
  await w.ctx.revocations.poll()
  const counted = async (token: string) => {
    link.statements.length = 0
    return [(await post(w, REVOKE, { token })).statusCode, link.statements.length]
  }
  t.strictSame(await counted(refresh), [200, 1])
  const [before] = await w.sql('SELECT count(*)::int AS entries FROM revocation')
  t.strictSame(await counted(refresh), [200, 1], 'a refresh token repeated')
  t.strictSame(await counted(access), [200, 0], 'an access token of it: known to have ended')
  t.strictSame((await w.sql('SELECT count(*)::int AS entries FROM revocation'))[0], before)
  t.strictSame([await counted(own), await counted(own)], [[200, 1], [200, 0]])
  t.strictSame(await counted('x'), [200, 0])

  await link.cut()
  for (const token of [second.refresh_token, second.access_token]) {
    const answer = await post(w, REVOKE, { token })
    t.match([answer.statusCode, answer.json().error, Number(answer.headers['retry-after']) > 0], [503, 'temporarily_unavailable', true], 'without a database nothing was ended, and nobody is told that it was')
  }
  const unheardOf = forgeFrom(w.ctx, second.access_token).forge({ header: { kid: 'unheard-of' } })
  t.equal((await post(w, REVOKE, { token: unheardOf })).statusCode, 503, 'a key that cannot be looked up may be a good one')
  t.equal((await w.verify(second.access_token)).statusCode, 200)
})
