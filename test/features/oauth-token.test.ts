import { decodeJwt, decodeProtectedHeader } from 'jose'
import * as oauth from 'oauth4webapi'
import t from 'tap'
import { COMMAND_LINE } from '../../src/core/audit/events.ts'
import { databaseLink } from '../helpers/database-link.ts'
import { freshDatabase } from '../helpers/database.ts'
import { assertion, assertionForm, basicOf, GRANT, newClient, newSigner, post, tokenOf } from '../helpers/oauth.ts'
import { listening } from '../helpers/socket.ts'
import { until } from '../helpers/until.ts'
import { world } from '../helpers/world.ts'

t.test('a service gets a token of its own, which every verifier accepts and which is no user', async t => {
  const w = await world(t, { TOKEN_AUDIENCE: 'https://api.example' })
  const client = await newClient(w)
  const answer = await post(w, '/oauth2/token', GRANT, { basic: client })
  t.match([answer.statusCode, answer.headers['cache-control'], answer.json()], [200, 'no-store', { token_type: 'Bearer', scope: 'things:read things:write' }])
  t.ok(answer.json().expires_in <= 600 && answer.json().expires_in > 590)
  const token = answer.json().access_token
  t.match(decodeProtectedHeader(token), { typ: 'at+jwt', alg: 'ES256' })
  const { iat, exp, jti, ...claims } = decodeJwt(token)
  t.strictSame(claims, { iss: w.config.publicUrl, aud: 'https://api.example', sub: client.id, client_id: client.id, ver: 0, scope: 'things:read things:write' })
  t.equal(exp! - iat!, 600)
  t.not(jti, decodeJwt(await tokenOf(w, client)).jti, 'each has a name of its own')

  const verified = await w.verify(token)
  t.equal(verified.statusCode, 200)
  t.match(verified.headers, { 'x-auth-subject': client.id, 'x-auth-scope': 'things:read things:write', 'x-auth-roles': '', 'x-auth-session': undefined })
})

t.test('a service gets the scopes it asks for, if they are its own, and never those of a user', async t => {
  const w = await world(t)
  const client = await newClient(w)
  const scopeOf = async (scope: string) => decodeJwt(await tokenOf(w, client, { scope }))['scope']
  t.equal(await scopeOf('things:write'), 'things:write')
  t.equal(await scopeOf('things:write things:read things:write'), 'things:write things:read')
  t.equal(await scopeOf(''), 'things:read things:write', 'an empty parameter was left out')
  for (const scope of ['things:delete', 'things:read things:delete', 'account', 'admin', 'things:read account', ' things:read', 'things:read  things:write', 'things', 'THINGS:READ', 'things:read\t', 'é']) {
    t.match([(await post(w, '/oauth2/token', { ...GRANT, scope }, { basic: client })).statusCode, (await post(w, '/oauth2/token', { ...GRANT, scope }, { basic: client })).json().error], [400, 'invalid_scope'], JSON.stringify(scope))
  }
  const none = await newClient(w, { scope: '' })
  t.equal((await post(w, '/oauth2/token', GRANT, { basic: none })).json().error, 'invalid_scope', 'a client without scopes gets no token')
  await w.sql('UPDATE client SET scopes = \'{account,admin,things:read}\' WHERE id = $1', [client.id])
  t.equal(decodeJwt(await tokenOf(w, client))['scope'], 'things:read', 'also when somebody wrote them into the table')
})

t.test('a token of a service opens nothing of a user, whatever it says', async t => {
  const w = await world(t)
  const { forgeFrom } = await import('../helpers/forge.ts')
  const token = await tokenOf(w, await newClient(w))
  const { forge } = forgeFrom(w.ctx, token)
  const impostors = { 'as issued': token, 'with the scope of users': forge({ claims: { scope: 'account admin things:read' } }) }
  for (const [name, bearer] of Object.entries(impostors)) {
    t.equal((await w.verify(bearer)).statusCode, 200, `${name}: it is a good token`)
    t.match((await w.call('GET', '/v1/me', { bearer })).json(), { status: 403, code: 'insufficient_scope' }, name)
    t.match((await w.call('POST', '/v1/auth/logout-all', { bearer })).json(), { status: 403, code: 'insufficient_scope' }, name)
    t.equal((await w.call('POST', '/v1/auth/logout', { bearer })).statusCode, 204)
    t.equal((await w.verify(bearer)).statusCode, 200, `${name}: and a logout has no session to end`)
  }
  t.strictSame(await w.sql('SELECT 1 FROM revocation'), [])
})

t.test('an independent client library gets tokens by all three ways to authenticate', async t => {
  const balancerless = await world(t, { PUBLIC_URL: 'http://127.0.0.1:1' })
  const { url } = await listening(t, balancerless)
  const as: oauth.AuthorizationServer = { issuer: 'http://127.0.0.1:1', token_endpoint: `${url}/oauth2/token` }
  const client = await newClient(balancerless)
  const get = async (id: string, authentication: oauth.ClientAuth) =>
    await oauth.processClientCredentialsResponse(as, { client_id: id }, await oauth.clientCredentialsGrantRequest(as, { client_id: id }, authentication, { scope: 'things:read' }, { [oauth.allowInsecureRequests]: true }))
  for (const [name, authentication] of Object.entries({ basic: oauth.ClientSecretBasic(client.secret), post: oauth.ClientSecretPost(client.secret) })) {
    t.match(await get(client.id, authentication), { token_type: 'bearer', scope: 'things:read' }, name)
  }
  for (const alg of ['ES256', 'RS256', 'PS256'] as const) {
    const signer = await newSigner(alg)
    const { id } = await newClient(balancerless, { jwks: signer.jwks })
    t.match(await get(id, oauth.PrivateKeyJwt({ key: signer.privateKey, kid: signer.kid })), { token_type: 'bearer', scope: 'things:read' }, alg)
  }
  await t.rejects(get(client.id, oauth.ClientSecretBasic('wrong')), { name: 'WWWAuthenticateChallengeError' })
})

t.test('an unknown client and a wrong secret are one answer, byte for byte', async t => {
  const w = await world(t)
  const client = await newClient(w)
  const signer = await newSigner()
  const keyed = await newClient(w, { jwks: signer.jwks })
  const old = '01930f4e-8a3b-7c2d-9e1f-0a1b2c3d4e5f'
  const attempts = {
    'a wrong secret': { id: client.id, secret: 'x' },
    'a secret that is almost right': { id: client.id, secret: `${client.secret}=` },
    'a long secret': { id: client.id, secret: 'x'.repeat(9_000) },
    'the secret of nobody': { id: keyed.id, secret: '' },
    'a secret for who has keys': { id: keyed.id, secret: client.secret },
    'an unknown client': { id: old, secret: client.secret },
    'a client that is no id': { id: '__proto__', secret: client.secret },
    'a name with signs': { id: 'é%00:', secret: 'x' },
    'an upper-case id': { id: client.id.toUpperCase(), secret: client.secret },
  }
  const shapes = new Set<string>()
  for (const [name, who] of Object.entries(attempts)) {
    for (const way of ['basic', 'post']) {
      if (way === 'post' && who.secret === '') continue // left out
      const answer = way === 'basic' ? await post(w, '/oauth2/token', GRANT, { basic: who }) : await post(w, '/oauth2/token', { ...GRANT, client_id: who.id, client_secret: who.secret })
      const { date, 'x-request-id': id, ...headers } = answer.headers
      shapes.add(JSON.stringify([answer.statusCode, headers, answer.body]))
      t.match([answer.statusCode, headers['www-authenticate'], answer.json().error], [401, 'Basic realm="clients"', 'invalid_client'], `${name}, ${way}`)
    }
  }
  t.equal(shapes.size, 1, 'there is one answer')
  t.equal((await post(w, '/oauth2/token', GRANT, { basic: client })).statusCode, 200, 'control')
  t.equal((await post(w, '/oauth2/token', GRANT)).json().error, 'invalid_client', 'who does not try')
})

t.test('who authenticates in two ways, or half of one, is refused', async t => {
  const w = await world(t)
  const client = await newClient(w)
  const signer = await newSigner()
  const keyed = await newClient(w, { jwks: signer.jwks })
  const proof = assertionForm(await assertion(signer, keyed.id, w.config.publicUrl))
  const twice: [string, Record<string, string>, { basic?: typeof client | string, bearer?: string }?][] = [
    ['Basic and post', { client_id: client.id, client_secret: client.secret }, { basic: client }],
    ['Basic and an assertion', proof, { basic: client }],
    ['post and an assertion', { client_id: client.id, client_secret: client.secret, ...proof }],
    ['Basic and half an assertion', { client_assertion_type: proof.client_assertion_type }, { basic: client }],
    ['Basic of one and the id of another', { client_id: keyed.id }, { basic: client }],
    ['a secret without an id', { client_secret: client.secret }],
    ['an assertion without its type', { client_assertion: proof.client_assertion }],
    ['an assertion of another type', { ...proof, client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer' }],
    ['a type without an assertion', { client_assertion_type: proof.client_assertion_type }],
  ]
  for (const [name, form, options] of twice) {
    const answer = await post(w, '/oauth2/token', { ...GRANT, ...form }, options)
    t.match([answer.statusCode, answer.json().error], [400, 'invalid_request'], name)
  }
  t.equal((await post(w, '/oauth2/token', { ...GRANT, client_id: client.id }, { basic: client })).statusCode, 200, 'control: the same id twice is one way')
  for (const header of ['Basic', 'Basic ', 'Basic !', 'Basic e30=', `Basic ${Buffer.from('%zz:%').toString('base64')}`, `basic  ${basicOf(client).slice(6)}`, `${basicOf(client)} `.replace('Basic', 'Basic,'), 'Digest x', 'x', `Bearer ${client.secret}`]) {
    t.match((await post(w, '/oauth2/token', GRANT, { basic: header })).json(), { error: 'invalid_client' }, header.slice(0, 20))
  }
  t.equal((await post(w, '/oauth2/token', GRANT, { basic: basicOf(client).replace('Basic', 'bAsIc') })).statusCode, 200, 'a scheme has no case')
})

t.test('the grants that are not offered are named so, and only to a client', async t => {
  const w = await world(t)
  const client = await newClient(w)
  for (const grant of ['password', 'authorization_code', 'refresh_token', 'CLIENT_CREDENTIALS', 'client_credentials ', '__proto__', 'urn:ietf:params:oauth:grant-type:token-exchange']) {
    t.match((await post(w, '/oauth2/token', { grant_type: grant, username: 'a', password: 'b' }, { basic: client })).json(), { error: 'unsupported_grant_type' }, grant)
    t.equal((await post(w, '/oauth2/token', { grant_type: grant })).json().error, 'invalid_client')
  }
  for (const form of ['', 'grant_type=', 'scope=things:read']) t.match((await post(w, '/oauth2/token', form, { basic: client })).json(), { error: 'invalid_request' }, form)
})

t.test('an assertion that is not by this client, for us and for now is refused', async t => {
  const w = await world(t)
  const now = Math.floor(Date.now() / 1000)
  const [signer, other, rsa] = [await newSigner(), await newSigner(), await newSigner('RS256')]
  const client = await newClient(w, { jwks: signer.jwks })
  const stranger = await newClient(w, { jwks: other.jwks })
  const rsaClient = await newClient(w, { jwks: rsa.jwks })
  const { publicUrl } = w.config
  const make = async (more: Parameters<typeof assertion>[3], by = signer, id = client.id) => await assertion(by, id, publicUrl, more)
  const send = async (token: string, more = {}) => await post(w, '/oauth2/token', { ...GRANT, ...assertionForm(token), ...more })

  const good: Record<string, string> = {
    plain: await make({}),
    'for the token endpoint': await make({ claims: { aud: `${publicUrl}/oauth2/token` } }),
    'for a list of us': await make({ claims: { aud: [publicUrl, `${publicUrl}/oauth2/token`] } }),
    'of typ JWT': await make({ header: { typ: 'JWT' } }),
    'of the typ that is coming': await make({ header: { typ: 'client-authentication+jwt' } }),
    'without iat': await make({ claims: { iat: undefined } }),
    'by a clock half a minute ahead': await make({ claims: { iat: now + 30, nbf: now + 30, exp: now + 90 } }),
    'by RSA': await make({}, rsa, rsaClient.id),
  }
  for (const [name, token] of Object.entries(good)) t.equal((await send(token)).statusCode, 200, `control: ${name}`)
  t.equal((await send(good['plain']!, { client_id: client.id })).statusCode, 200, 'control: with its client_id')

  const tokens = { access: await tokenOf(w, await newClient(w)), ...await w.signIn() }
  const [first, second, third] = good['plain']!.split('.') as [string, string, string]
  const bad: Record<string, string> = {
    'by the key of another client': await make({}, other),
    'of another client as subject': await make({ claims: { sub: stranger.id } }),
    'of another client as issuer': await make({ claims: { iss: stranger.id } }),
    'for another client altogether': await make({ claims: { iss: stranger.id, sub: stranger.id } }),
    'without a kid': await make({ header: { kid: undefined } }),
    'with an unknown kid': await make({ header: { kid: 'key-2' } }),
    'with a kid of the language': await make({ header: { kid: 'constructor' } }),
    'expired now': await make({ claims: { exp: now - 1, iat: now - 60 } }),
    'for an hour': await make({ claims: { exp: now + 3_600 } }),
    'for two minutes and more': await make({ claims: { exp: now + 130 } }),
    'without an end': await make({ claims: { exp: undefined } }),
    'with an end in words': await make({ claims: { exp: String(now + 60) } }),
    'issued tomorrow': await make({ claims: { iat: now + 86_400 } }),
    'issued after its end': await make({ claims: { iat: now + 50, exp: now + 40 } }),
    'not to be used yet': await make({ claims: { nbf: now + 300 } }),
    'for another server': await make({ claims: { aud: 'https://other.example' } }),
    'for us and another server': await make({ claims: { aud: [publicUrl, 'https://other.example'] } }),
    'for nobody': await make({ claims: { aud: undefined } }),
    'for an empty list': await make({ claims: { aud: [] } }),
    'for almost us': await make({ claims: { aud: `${publicUrl}/` } }),
    'without a subject': await make({ claims: { sub: undefined } }),
    'with crit': `${Buffer.from(JSON.stringify({ alg: 'ES256', kid: 'key-1', crit: ['exp'], exp: 1 })).toString('base64url')}.${second}.${third}`,
    'with a zip': `${Buffer.from(JSON.stringify({ alg: 'ES256', kid: 'key-1', zip: 'DEF' })).toString('base64url')}.${second}.${third}`,
    unsigned: `${Buffer.from(JSON.stringify({ alg: 'none', kid: 'key-1' })).toString('base64url')}.${second}.`,
    'by HMAC under the public key': `${Buffer.from(JSON.stringify({ alg: 'HS256', kid: 'key-1' })).toString('base64url')}.${second}.${third}`,
    'an RSA key for another algorithm': (await make({}, { ...rsa, alg: 'RS256' }, rsaClient.id)).replace(/^[^.]+/, Buffer.from(JSON.stringify({ alg: 'PS256', kid: 'key-1' })).toString('base64url')),
    'with padding': `${good['plain']}=`,
    'with a space': `${first}. ${second}.${third}`,
    'of four parts': `${good['plain']}.x`,
    'an access token': tokens.access,
    'a user’s access token': tokens.access_token,
    'a refresh token': tokens.refresh_token,
    'nine kilobytes': await make({ claims: { x: 'x'.repeat(9_000) } }),
    text: 'x',
  }
  for (const typ of ['at+jwt', 'rt+jwt', 'logout+jwt', 'AT+JWT', 'dpop+jwt', '']) bad[`of typ ${typ}`] = await make({ header: { typ } })
  for (const [name, token] of Object.entries(bad)) {
    const answer = await send(token)
    t.match([answer.statusCode, answer.json().error], [401, 'invalid_client'], name)
  }
  t.equal((await send(good['plain']!, { client_id: stranger.id })).json().error, 'invalid_client', 'under the id of another')
  for (const [url, options] of [['/v1/auth/verify', { bearer: good['plain']! }], ['/v1/me', { bearer: good['plain']! }]] as const) t.equal((await w.call('GET', url, options)).statusCode, 401, 'and it opens nothing else')
  t.equal((await w.refresh(good['plain']!)).statusCode, 401)
})

t.test('a client made on one node is used on another at once, and there is no storm of look-ups', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  const client = await newClient(w)
  const [one, two] = await Promise.all([post(other, '/oauth2/token', GRANT, { basic: client }), post(other, '/oauth2/token', GRANT, { basic: client })])
  t.strictSame([one.statusCode, two.statusCode], [200, 200], 'twice at once')
  t.equal((await post(other, '/oauth2/token', GRANT, { basic: { id: '01930f4e-8a3b-7c2d-9e1f-0a1b2c3d4e5f', secret: 'x' } })).statusCode, 401, 'an id from before the last look is nobody’s')

  const next = await newClient(w)
  const answer = await post(other, '/oauth2/token', GRANT, { basic: next })
  t.match([answer.statusCode, answer.json().error, answer.headers['retry-after']], [503, 'temporarily_unavailable', '5'], 'one that may be newer is asked to come again, not told that it is unknown')
  await t.resolves(until(async () => (await post(other, '/oauth2/token', GRANT, { basic: next })).statusCode === 200, 7_000), 'and then it is known')
})

t.test('a deleted client is refused everywhere within two seconds: its credentials and the tokens it holds', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  const [client, bystander] = [await newClient(w), await newClient(w)]
  await other.ctx.clients.reload()
  const [token, untouched] = [await tokenOf(w, client), await tokenOf(other, bystander)]
  t.equal((await w.verify(token, other)).statusCode, 200)
  const { deleteClient } = await import('../../src/core/clients/store.ts')
  const began = performance.now()
  t.equal(await deleteClient(w.ctx, client.id, COMMAND_LINE), true)
  t.equal((await post(other, '/oauth2/token', GRANT, { basic: client })).json().error, 'invalid_client', 'no new token at once')
  for (const node of [w, other]) await t.resolves(until(async () => (await w.verify(token, node)).statusCode === 401, 5_000))
  t.ok(performance.now() - began < 4_000, `${Math.round(performance.now() - began)} ms`)
  t.equal((await w.verify(untouched, other)).statusCode, 200)
  for (const node of [w, other]) t.equal((await post(node, '/oauth2/introspect', { token: untouched }, { basic: client })).json().error, 'invalid_client', 'its secret is worth nothing, long before the clients are read again')
  t.equal((await post(other, '/oauth2/introspect', { token: untouched }, { basic: bystander })).json().active, true)
  await other.ctx.clients.reload()
  t.equal((await post(other, '/oauth2/token', GRANT, { basic: client })).json().error, 'invalid_client')
})

t.test('a token takes one statement; without the database there is none, and nobody is called unknown', async t => {
  const link = await databaseLink(t, await freshDatabase(t))
  const w = await world(t, { DATABASE_URL: link.url })
  const client = await newClient(w)
  w.ctx.revocations.stop()
  w.ctx.keyring.stop()
  await w.ctx.revocations.poll()
  link.statements.length = 0
  await tokenOf(w, client)
  t.equal(link.statements.length, 1)
  t.equal((await post(w, '/oauth2/token', GRANT, { basic: { ...client, secret: 'x' } })).statusCode, 401)
  t.equal(link.statements.length, 1, 'a wrong secret costs none')
  await link.cut()
  const young = `${Date.now().toString(16).padStart(12, '0').replace(/^(.{8})/, '$1-')}-7c2d-9e1f-0a1b2c3d4e5f`
  for (const basic of [client, { id: young, secret: 'x' }]) {
    const answer = await post(w, '/oauth2/token', GRANT, { basic })
    t.match([answer.statusCode, answer.json().error], [503, 'temporarily_unavailable'])
    t.ok(Number(answer.headers['retry-after']) > 0)
  }
  t.equal((await post(w, '/oauth2/token', GRANT, { basic: { ...client, secret: 'x' } })).statusCode, 401, 'a wrong secret is wrong without it too')
})
