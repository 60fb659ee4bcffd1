import { createPublicKey } from 'node:crypto'
import { calculateJwkThumbprint, createRemoteJWKSet, decodeJwt, decodeProtectedHeader, importSPKI, jwtVerify, type JWK } from 'jose'
import * as oauth from 'oauth4webapi'
import t from 'tap'
import { freePort } from '../../src/db/embedded/start.ts'
import { freshDatabase } from '../helpers/database.ts'
import { send, startProcess } from '../helpers/processes.ts'
import { PASSWORD, world } from '../helpers/world.ts'
import { loadConfig } from '../../src/config.ts'

for (const alg of ['ES256', 'RS256']) {
  t.test(`independent libraries find the keys of a running node and accept its ${alg} access tokens, also after a refresh`, async t => {
    const port = await freePort()
    const issuer = `http://127.0.0.1:${port}`
    const audience = 'https://api.example.com'
    const { url } = await startProcess(t, await freshDatabase(t), { env: { PORT: String(port), PUBLIC_URL: issuer, TOKEN_AUDIENCE: audience, SIGNING_ALG: alg } })
    const credentials = { email: 'ada@example.com', password: PASSWORD }
    const { user } = (await send(url, 'POST', '/v1/auth/register', { body: credentials })).json
    const first = (await send(url, 'POST', '/v1/auth/login', { body: { ...credentials, refresh: 'body' } })).json
    const second = (await send(url, 'POST', '/v1/auth/refresh', { body: { refresh_token: first.refresh_token } })).json

    const insecure = { [oauth.allowInsecureRequests]: true }
    for (const algorithm of ['oauth2', 'oidc'] as const) {
      const as = await oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer), { algorithm, ...insecure }))
      for (const { access_token: token } of [first, second]) {
        const request = new Request('https://api.example.com/', { headers: { authorization: `Bearer ${token}` } })
        const claims = await oauth.validateJwtAccessToken(as, request, audience, { ...insecure, signingAlgorithms: [alg] })
        t.match(claims, { iss: issuer, sub: user.id, client_id: 'app', scope: 'account' }, `oauth4webapi, by ${algorithm} metadata`)
        await t.rejects(oauth.validateJwtAccessToken(as, request, 'https://other.example', { ...insecure, signingAlgorithms: [alg] }), 'and not for another audience')
      }
    }
    const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`))
    for (const { access_token: token } of [first, second]) {
      const { payload, protectedHeader } = await jwtVerify(token, keys, { issuer, audience, typ: 'at+jwt', algorithms: [alg], requiredClaims: ['sub', 'jti', 'client_id', 'iat', 'exp', 'sid', 'ver', 'roles', 'auth_time'] })
      t.equal(payload.sub, user.id, 'jose')
      const pem = await (await fetch(`${issuer}/v1/keys/${protectedHeader.kid}.pem`)).text()
      t.equal((await jwtVerify(token, await importSPKI(pem, alg), { issuer, audience })).payload.jti, payload.jti, 'and by the PEM file of its key')
    }
    await t.rejects(jwtVerify(first.refresh_token, keys), 'nobody takes a refresh token for one')
  })
}

t.test('an access token carries what RFC 9068 asks, the session, and nothing personal or secret', async t => {
  const { ctx, signIn, call, sql, config } = await world(t)
  const { access_token: access, refresh_token: refresh, user, expires_in: expiresIn } = await signIn()
  const kids = (await call('GET', '/.well-known/jwks.json')).json().keys.map((key: JWK) => key.kid)
  const header = decodeProtectedHeader(access)
  t.strictSame(header, { alg: 'ES256', typ: 'at+jwt', kid: header.kid! })
  t.ok(kids.includes(header.kid), 'the key is in the key set')
  const claims = decodeJwt(access)
  t.strictSame(Object.keys(claims).sort(), ['acr', 'amr', 'aud', 'auth_time', 'client_id', 'exp', 'iat', 'iss', 'jti', 'roles', 'scope', 'sid', 'sub', 'ver'])
  t.match(claims, { iss: config.publicUrl, aud: config.publicUrl, sub: user.id, client_id: 'app', amr: ['pwd'], scope: 'account', ver: 1 })
  t.strictSame(claims['roles'], [])
  t.equal(claims.exp! - claims.iat!, 600)
  t.ok(expiresIn <= 600 && expiresIn >= 590)
  t.ok(Math.abs(claims.iat! - ctx.clock.now() / 1000) < 10)
  t.notOk(kids.includes(decodeProtectedHeader(refresh).kid), 'the key of refresh tokens is published nowhere')
  const [{ password_hash: hash }] = await sql<{ password_hash: string }>('SELECT password_hash FROM credential') as [{ password_hash: string }]
  for (const token of [access, refresh]) {
    const text = JSON.stringify([decodeProtectedHeader(token), decodeJwt(token)])
    for (const secret of [user.email, 'example.com', '@', 'argon2', hash.slice(-10), PASSWORD]) t.notOk(text.includes(secret), `no ${secret.slice(0, 8)}`)
    t.ok(token.length < 1_024, 'and it is short')
  }
})

t.test('an access token can not be made to live longer than an hour', async t => {
  const short = await world(t, { ACCESS_TOKEN_TTL_SECONDS: '60' })
  const { exp, iat } = decodeJwt((await short.signIn()).access_token)
  t.equal(exp! - iat!, 60)
  for (const seconds of ['3601', '59', '86400', '1e3', '-1', 'Infinity']) t.throws(() => loadConfig({ ACCESS_TOKEN_TTL_SECONDS: seconds }, () => ''), { message: /ACCESS_TOKEN_TTL_SECONDS/ }, seconds)
})

t.test('no two generations share a jti, and a session id is unguessable in 74 bits', async t => {
  const w = await world(t)
  const nodes = [w, await w.anotherNode()]
  const { email } = await w.signUp()
  const jtis: string[] = []
  const sids: bigint[] = []
  for (let session = 0; session < 40; session++) {
    let tokens = await w.signIn(email)
    sids.push(BigInt(`0x${String(decodeJwt(tokens.access_token)['sid']).replaceAll('-', '')}`))
    for (let generation = 0; generation < 4; generation++) {
      jtis.push(decodeJwt(tokens.access_token).jti!)
      tokens = (await w.refresh(tokens.refresh_token, nodes[generation % 2])).json()
    }
  }
  t.equal(new Set(jtis).size, 160)
  const ones = sids.reduce((a, b) => a | b)
  const zeros = sids.reduce((a, b) => a | ~b & (1n << 128n) - 1n, 0n)
  const varying = (ones & zeros).toString(2).padStart(128, '0')
  t.match(varying.slice(52, 64), '1'.repeat(12), 'the 12 bits after the version')
  t.match(varying.slice(66), '1'.repeat(62), 'the 62 bits after the variant')
  t.match(varying.slice(48, 52) + varying.slice(64, 66), '000000', 'version and variant are fixed')
})

t.test('how and when somebody signed in survives every refresh unchanged', async t => {
  const w = await world(t)
  const first = await w.signIn()
  const claims = decodeJwt(first.access_token)
  let token = first.refresh_token
  for (const round of [1, 2]) {
    await new Promise(resolve => setTimeout(resolve, 1_100))
    const next = (await w.refresh(token)).json()
    const later = decodeJwt(next.access_token)
    for (const name of ['auth_time', 'amr', 'acr', 'sid', 'sub', 'client_id', 'scope']) t.strictSame(later[name], claims[name], `${name}, refresh ${round}`)
    t.ok(later.iat! > claims.iat! && later.exp! > claims.exp!, 'while its own times move on')
    token = next.refresh_token
  }
})

t.test('nobody gets a scope or a role by asking for it', async t => {
  const w = await world(t)
  const { email } = await w.signUp()
  const granted = (token: string) => { const { scope, roles } = decodeJwt(token); return { scope, roles } }
  const scopes = async (scope?: string) => granted((await w.signIn(email, scope === undefined ? {} : { scope })).access_token)
  for (const scope of [undefined, 'account', 'admin', 'account admin', 'admin admin']) t.strictSame(await scopes(scope), { scope: 'account', roles: [] }, scope ?? 'none')
  for (const scope of ['', ' ', 'admin account admin', 'root', 'account  admin', 'account,admin', 'ADMIN', ' admin']) {
    t.equal((await w.call('POST', '/v1/auth/login', { body: { email, password: PASSWORD, scope } })).statusCode, 400, `"${scope}"`)
  }
  await w.sql("UPDATE users SET roles = '{admin}'")
  t.strictSame(await scopes('admin'), { scope: 'account admin', roles: ['admin'] }, 'an administrator who asks')
  t.strictSame(await scopes(), { scope: 'account', roles: ['admin'] }, 'and one who does not')
  const { refresh_token: token } = await w.signIn(email, { scope: 'account admin' })
  await w.sql("UPDATE users SET roles = '{}'")
  t.strictSame(granted((await w.refresh(token)).json().access_token), { scope: 'account', roles: [] }, 'a role taken away is gone at the next refresh')
})

t.test('a user with two hundred roles still has tokens that fit', async t => {
  const w = await world(t)
  const { email } = await w.signUp()
  await w.sql("UPDATE users SET roles = (SELECT array_agg('department-' || n) FROM generate_series(1, 200) n)")
  const answer = await w.call('POST', '/v1/auth/login', { body: { email, password: PASSWORD } })
  t.ok(String(answer.headers['set-cookie']).split(';')[0]!.length <= 4_096)
  const { access_token: token } = answer.json()
  t.ok(`Authorization: Bearer ${token}`.length < 8_000, `${token.length} characters pass the defaults of proxies`)
  t.equal((await w.verify(token)).json().roles.length, 200)
})

t.test('the key set holds public members only, each key says what it is for, and its id is its thumbprint', async t => {
  for (const alg of ['ES256', 'RS256']) {
    const { ctx, call } = await world(t, { SIGNING_ALG: alg })
    const { keys } = (await call('GET', '/.well-known/jwks.json')).json() as { keys: JWK[] }
    t.ok(keys.length >= 2, 'the key in use and the next one')
    t.equal(new Set(keys.map(key => key.kid)).size, keys.length)
    t.ok(keys.some(key => key.kid === ctx.keyring.signingKey('at', ctx.clock.now() / 1000).kid))
    for (const key of keys) {
      t.strictSame(Object.keys(key).sort(), alg === 'ES256' ? ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'] : ['alg', 'e', 'kid', 'kty', 'n', 'use'])
      t.match(key, { use: 'sig', alg, kty: alg === 'ES256' ? 'EC' : 'RSA' })
      if (alg === 'RS256') t.ok(Buffer.from(key.n!, 'base64url').length >= 256, '2048 bits')
      else t.equal(key.crv, 'P-256')
      t.equal(key.kid, await calculateJwkThumbprint(key))
      const pem = await call('GET', `/v1/keys/${key.kid}.pem`)
      t.match(pem.body, /^-----BEGIN PUBLIC KEY-----\n[A-Za-z0-9+/=\n]+\n-----END PUBLIC KEY-----\n$/)
      t.equal(await calculateJwkThumbprint(createPublicKey(pem.body).export({ format: 'jwk' }) as JWK), key.kid, 'the PEM file is that key')
    }
    for (const use of ['rt', 'ft'] as const) t.equal((await call('GET', `/v1/keys/${ctx.keyring.signingKey(use, ctx.clock.now() / 1000).kid}.pem`)).statusCode, 404, 'a secret key has no file')
  }
})

t.test('no other name of a key file gives anything', async t => {
  const { call } = await world(t)
  for (const name of ['unknown', '__proto__', 'constructor', 'toString', '..%2f..%2fetc%2fpasswd', '%00', "'%20OR%201=1", 'a'.repeat(65), 'ä', '.', '-']) {
    const answer = await call('GET', `/v1/keys/${name}.pem`)
    t.ok([400, 404].includes(answer.statusCode), `${name} ${answer.statusCode}`)
  }
})

t.test('metadata names the configured address whatever the request says, and only what works', async t => {
  const { call, config } = await world(t, { PUBLIC_URL: 'https://auth.example.com/tenant' })
  const documents = await Promise.all(['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'].map(async url =>
    (await call('GET', url, { headers: { host: 'evil.example', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'http', forwarded: 'host=evil.example' } })).json()))
  t.strictSame(documents[0], documents[1])
  const [metadata] = documents
  t.match(metadata, { issuer: config.publicUrl, jwks_uri: `${config.publicUrl}/.well-known/jwks.json`, id_token_signing_alg_values_supported: ['ES256'] })
  t.notMatch(JSON.stringify(metadata), /evil/)
  const endpoints = Object.entries<string>(metadata).filter(([name]) => name.endsWith('_endpoint'))
  t.strictSame(endpoints.map(([name]) => name).sort(), ['introspection_endpoint', 'revocation_endpoint', 'token_endpoint'])
  for (const [name, url] of endpoints) {
    t.ok(url.startsWith(`${config.publicUrl}/oauth2/`), name)
    t.not((await call('POST', url.slice(config.publicUrl.length))).statusCode, 404, `${name} exists`)
  }
  t.strictSame(metadata.grant_types_supported, ['client_credentials'])
})
