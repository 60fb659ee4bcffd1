import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { deflateRawSync } from 'node:zlib'
import { CompactEncrypt } from 'jose'
import t, { type Test } from 'tap'
import { base64url, forgeFrom, hmac, isSignedBy, pss, signatureBy } from '../helpers/forge.ts'
import { PASSWORD, world, type World } from '../helpers/world.ts'

type Shapes = Record<string, string>

/** 401 with the challenge and a problem, at both kinds of guarded route. A 500 or an undocumented answer fails in `call`. */
async function refusesAll (t: Test, { call }: World, shapes: Shapes): Promise<void> {
  for (const [shape, token] of Object.entries(shapes)) {
    for (const url of ['/v1/auth/verify', '/v1/me']) {
      const answer = await call('GET', url, { bearer: token })
      t.match({ status: answer.statusCode, ...answer.headers, ...answer.json() }, {
        status: 401, 'www-authenticate': 'Bearer error="invalid_token"', 'content-type': /^application\/problem\+json/, 'cache-control': 'no-store', code: 'invalid_token',
      }, `${shape} at ${url}`)
    }
  }
}

t.test('more than sixty shapes of hostile access tokens are each refused with 401', async t => {
  const w = await world(t)
  const good = (await w.signIn()).access_token
  const { forge, header, claims, key, keyOf } = forgeFrom(w.ctx, good)
  const [first, second, third] = good.split('.') as [string, string, string]
  const now = Math.floor(w.clock.now() / 1000)

  for (const [name, token] of Object.entries({ issued: good, forged: forge(), 'of two audiences': forge({ claims: { aud: ['https://other.example', claims.aud] } }), 'expired within the leeway': forge({ claims: { exp: now - 30 } }) })) {
    t.equal((await w.verify(token)).statusCode, 200, `control: a token ${name} is good`)
  }

  const connections: unknown[] = []
  const listener = createServer(socket => { connections.push(1); socket.destroy() }).listen(0, '127.0.0.1')
  t.teardown(() => listener.close())
  await once(listener, 'listening')
  const elsewhere = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/jwks.json`

  const { pem, jwk } = key.public!
  const publicKey = createPublicKey(pem)
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ownJwk = own.publicKey.export({ format: 'jwk' })
  const byOwn = (input: string) => sign('sha256', Buffer.from(input), { key: own.privateKey, dsaEncoding: 'ieee-p1363' })
  const nothing = () => Buffer.alloc(0)
  const der = (input: string) => sign('sha256', Buffer.from(input), key.secret as string)
  const flipped = (input: string) => { const bytes = signatureBy(key)(input); bytes[40]! ^= 1; return bytes }
  const hs = (secret: string | Buffer, bits: 256 | 384 | 512 = 256) => forge({ header: { alg: `HS${bits}` }, signature: hmac(secret, bits) })
  const signed = (member: object) => forge({ header: member })
  const claiming = (member: object) => forge({ claims: member })

  const algorithms: Shapes = {}
  for (const alg of ['none', 'None', 'NONE', 'nOnE', 'none ', 'none\0']) {
    algorithms[`alg ${alg} without a signature`] = forge({ header: { alg }, signature: nothing })
    algorithms[`alg ${alg} with the old signature`] = forge({ header: { alg }, signature: () => Buffer.from(third, 'base64url') })
  }
  const encodings: Record<string, string | Buffer> = {
    PEM: pem,
    'PEM without its last newline': pem.trimEnd(),
    'PEM in CRLF': pem.replaceAll('\n', '\r\n'),
    'PEM after a space': ` ${pem}`,
    'PEM after a BOM': `\ufeff${pem}`,
    'PEM after a comment': `# key\n${pem}`,
    DER: publicKey.export({ type: 'spki', format: 'der' }),
    JWK: JSON.stringify(jwk),
    JWKS: (await w.call('GET', '/.well-known/jwks.json')).body,
    coordinate: Buffer.from('x' in jwk ? jwk.x : '', 'base64url'),
    'empty secret': '',
    kid: key.kid,
  }
  for (const [encoding, secret] of Object.entries(encodings)) algorithms[`HS256 with the public key as ${encoding}`] = hs(secret)
  Object.assign(algorithms, {
    'HS384 with the public PEM': hs(pem, 384),
    'HS512 with the public PEM': hs(pem, 512),
    'HS256 under the key of refresh tokens': forge({ key: keyOf('rt'), header: { alg: 'HS256', kid: keyOf('rt').kid } }),
    'HS256 under the key of action tokens': forge({ key: keyOf('ft'), header: { alg: 'HS256', kid: keyOf('ft').kid } }),
  })
  for (const alg of ['RS256', 'PS256', 'ES384', 'ES512', 'EdDSA', 'es256', '', null, 1, true, ['ES256'], { toString: 'ES256' }, undefined]) algorithms[`alg ${JSON.stringify(alg)} with the EC key`] = signed({ alg })

  const pointers: Shapes = {
    'its own key in jwk': forge({ header: { jwk: ownJwk }, signature: byOwn }),
    'its own key in jwk and no kid': forge({ header: { jwk: ownJwk, kid: undefined }, signature: byOwn }),
    'its own key behind jku': forge({ header: { jku: elsewhere, kid: 'elsewhere' }, signature: byOwn }),
    'its own key behind jku under our kid': forge({ header: { jku: elsewhere }, signature: byOwn }),
    'its own key behind x5u': forge({ header: { x5u: elsewhere, kid: 'elsewhere' }, signature: byOwn }),
    'its own key in x5c': forge({ header: { x5c: [own.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')] }, signature: byOwn }),
    'a URL as kid': forge({ header: { kid: elsewhere }, signature: byOwn }),
    'a URL as issuer': forge({ claims: { iss: elsewhere.replace('/jwks.json', '') }, signature: byOwn }),
    'its own signature only': forge({ signature: byOwn }),
  }
  const kids = ['../../../../dev/null', "x' UNION SELECT 'key", '|sleep 10', '__proto__', 'constructor', 'toString', 'hasOwnProperty', '', ' ', `${key.kid} `, `${key.kid}\0`, key.kid.slice(1), 'a\0b', 'k'.repeat(5_000), { toString: key.kid }, [key.kid], 0, true, null, undefined]
  for (const kid of kids) pointers[`kid ${String(JSON.stringify(kid)).slice(0, 40)}`] = signed({ kid })
  pointers['kid __proto__ with an empty HMAC key'] = forge({ header: { kid: '__proto__', alg: 'HS256' }, signature: hmac('') })

  const extensions: Shapes = {}
  for (const crit of [['exp'], ['x'], ['b64'], ['alg'], ['x', 'x'], [], '', 'x', null, false, 0, {}, [null]]) extensions[`crit ${JSON.stringify(crit)}`] = signed({ crit, x: 1 })
  Object.assign(extensions, {
    'b64 false': signed({ b64: false }),
    'b64 false in crit': signed({ b64: false, crit: ['b64'] }),
    'b64 false over the raw payload': `${base64url(JSON.stringify({ ...header, b64: false, crit: ['b64'] }))}.${JSON.stringify(claims)}.${third}`,
    zip: signed({ zip: 'DEF' }),
    'a zipped payload': forge({ header: { zip: 'DEF' }, rawPayload: deflateRawSync(JSON.stringify(claims)) }),
  })

  // The last character of a signature of 64 bytes carries two bits only; its other four spell the same bytes.
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const spelledAgain = third.slice(0, -1) + alphabet[alphabet.indexOf(third.at(-1)!) ^ 1]!
  const withPlus = (): string => { for (;;) { const token = forge({ claims: { jti: `${Math.random()}` } }); if (/[-_]/.test(token.split('.')[2]!)) return token.split('.').map((part, at) => at === 2 ? part.replaceAll('-', '+').replaceAll('_', '/') : part).join('.') } }
  const segments: Shapes = {
    'no signature': forge({ signature: nothing }),
    'an all-zero signature': forge({ signature: () => Buffer.alloc(64) }),
    'a truncated signature': forge({ signature: input => signatureBy(key)(input).subarray(0, 63) }),
    'half a signature': forge({ signature: input => signatureBy(key)(input).subarray(0, 32) }),
    'a signature and a byte': forge({ signature: input => Buffer.concat([signatureBy(key)(input), Buffer.alloc(1)]) }),
    'a signature in DER': forge({ signature: der }),
    'a bit flipped': forge({ signature: flipped }),
    'a padded signature': `${good}==`,
    'a signature in standard base64': withPlus(),
    'a signature spelled differently': `${first}.${second}.${spelledAgain}`,
    'padded segments': `${first}=.${second}=.${third}`,
    'a space inside the payload': `${first}.${second.slice(0, 9)} ${second.slice(9)}.${third}`,
    'a newline inside the payload': `${first}.${second.slice(0, 9)}\n${second.slice(9)}.${third}`,
    'a tab after it': `${good}\t`,
    'a space before a dot': `${first} .${second}.${third}`,
    'two segments': `${first}.${second}`,
    'two segments and a dot': `${first}.${second}.`,
    'four segments': `${good}.${third}`,
    'an empty payload': `${first}..${third}`,
    'an empty header': `.${second}.${third}`,
    'only dots': '..',
    'one word': 'token',
    'the payload of another user': `${first}.${base64url(JSON.stringify({ ...claims, sub: '01930f4e-8a3b-7c2d-9e1f-0a1b2c3d4e5f' }))}.${third}`,
    'flattened JSON': JSON.stringify({ protected: first, payload: second, signature: third }),
    'general JSON': JSON.stringify({ payload: second, signatures: [{ protected: first, signature: third }] }),
    'a JWE around it': await new CompactEncrypt(Buffer.from(good)).setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', kid: key.kid, typ: 'at+jwt' }).encrypt(publicKey),
    'a JWE that asks for 2^31 rounds': `${base64url(JSON.stringify({ alg: 'PBES2-HS256+A128KW', p2c: 2 ** 31, p2s: 'AAAAAAAAAAA', enc: 'A128GCM', zip: 'DEF', kid: key.kid, typ: 'at+jwt' }))}.AAAA.AAAA.AAAA.AAAA`,
    'a header that is an array': forge({ rawHeader: '[]' }),
    'a header that is null': forge({ rawHeader: 'null' }),
    'a header that is no JSON': forge({ rawHeader: '{"alg":"ES256"' }),
    'a header with a BOM': forge({ rawHeader: `\ufeff${JSON.stringify(header)}` }),
    'a header with bad UTF-8': forge({ rawHeader: Buffer.concat([Buffer.from(JSON.stringify({ ...header, x: '' }).replace('""}', '"')), Buffer.from([0xff]), Buffer.from('"}')]) }),
    'nine kilobytes': claiming({ filler: 'x'.repeat(9_000) }),
  }

  const times: Shapes = { 'expired a minute ago, and a second': claiming({ exp: now - 61 }), 'not to be used yet': claiming({ nbf: now + 300 }), 'issued tomorrow': claiming({ iat: now + 86_400 }) }
  for (const name of ['exp', 'nbf', 'iat']) {
    for (const value of [String(now + 300), null, [now + 300], {}, true, -1, 1e300, -1e300, '']) times[`${name} ${JSON.stringify(value)}`] = claiming({ [name]: value })
    times[`${name} beyond any number`] = forge({ rawPayload: JSON.stringify({ ...claims, [name]: 0 }).replace(`"${name}":0`, `"${name}":1e999`) })
    if (name !== 'nbf') times[`no ${name}`] = claiming({ [name]: undefined })
  }

  const issuer = String(claims.iss)
  const identity: Shapes = {}
  for (const iss of [`${issuer}/`, issuer.toUpperCase(), issuer.slice(0, -1), `${issuer}.evil.example`, [issuer], '', null, undefined, {}, 'https://evil.example']) identity[`iss ${JSON.stringify(iss)}`] = claiming({ iss })
  for (const aud of ['https://other.example', `${issuer}/`, `${issuer}/v1/auth/refresh`, '', null, undefined, {}, [], [[claims.aud]], [{}], ['https://other.example'], [claims.aud, 1], 1, true]) identity[`aud ${JSON.stringify(aud)}`] = claiming({ aud })
  for (const name of ['sub', 'jti', 'sid', 'ver', 'client_id', 'scope', 'roles']) {
    for (const value of [undefined, null, '', 1.5, {}, [1]]) identity[`${name} ${JSON.stringify(value)}`] = claiming({ [name]: value })
  }
  Object.assign(identity, { 'sub that is no user id': claiming({ sub: "' OR 1=1 --" }), 'sub with NUL': claiming({ sub: '\0' }), 'sid that is no session id': claiming({ sid: 'x' }), 'a user who does not exist, of a later epoch': claiming({ ver: -1e9, roles: 'admin' }) })
  for (const payload of ['null', '[]', '1', '"text"', 'true', '', '{', JSON.stringify(JSON.stringify(claims)), '\ufeff{}', `${JSON.stringify(claims)}x`]) identity[`payload ${payload.slice(0, 20)}`] = forge({ rawPayload: payload })
  identity['payload with bad UTF-8'] = forge({ rawPayload: Buffer.concat([Buffer.from(JSON.stringify({ ...claims, x: '' }).replace('""}', '"')), Buffer.from([0xff]), Buffer.from('"}')]) })

  const kinds: Shapes = { 'the refresh token': (await w.signIn()).refresh_token }
  for (const typ of ['JWT', 'jwt', 'rt+jwt', 'logout+jwt', 'dpop+jwt', 'secevent+jwt', 'AT+JWT', 'application/at+jwt', 'at+jwt ', '', null, undefined, 1, ['at+jwt']]) kinds[`typ ${JSON.stringify(typ)}`] = signed({ typ })

  const groups = { algorithms, pointers, extensions, segments, times, identity, kinds }
  for (const [name, shapes] of Object.entries(groups)) await t.test(name, async t => await refusesAll(t, w, shapes))
  const tokens = new Set(Object.values(groups).flatMap(shapes => Object.values(shapes)))
  t.ok(tokens.size >= 200, `${tokens.size} different tokens`)
  const reallySigned = [times, identity, kinds, extensions].flatMap(shapes => Object.values(shapes)).filter(token => isSignedBy(key, token))
  t.ok(reallySigned.length >= 100, `${reallySigned.length} of them are signed with the key in use`)
  t.equal(connections.length, 0, 'nothing was fetched')
  t.equal((await w.verify(good)).statusCode, 200, 'and the good token is still good')
})

t.test('a member given twice counts by its last value, in every reader of the token alike', async t => {
  const { ctx, signIn, verify, call } = await world(t)
  const { access_token: token, user } = await signIn()
  const { forge, claims } = forgeFrom(ctx, token)
  const twice = forge({ rawPayload: `{"sub":"01930f4e-8a3b-7c2d-9e1f-0a1b2c3d4e5f",${JSON.stringify(claims).slice(1)}` })
  const answer = await verify(twice)
  t.equal(answer.headers['x-auth-subject'], user.id)
  t.equal(answer.json().sub, user.id)
  t.equal((await call('GET', '/v1/me', { bearer: twice })).json().id, user.id)
  const admin = forge({ rawPayload: `{"roles":["admin"],"scope":"account admin","__proto__":{"scope":"admin"},${JSON.stringify(claims).slice(1)}` })
  t.match((await verify(admin)).headers, { 'x-auth-scope': 'account', 'x-auth-roles': '' })
})

t.test('a token of every kind opens only its own door', async t => {
  const { ctx, call, refresh, signIn, verify, config } = await world(t)
  const tokens = await signIn()
  const { forge, keyOf } = forgeFrom(ctx, tokens.access_token)
  const rt = forgeFrom(ctx, tokens.refresh_token)
  const impostors: Shapes = {
    'an access token': tokens.access_token,
    'an access token with typ rt+jwt': forge({ header: { typ: 'rt+jwt' } }),
    'refresh claims under the access key': forge({ header: { typ: 'rt+jwt' }, rawPayload: JSON.stringify(rt.claims) }),
    'a refresh token with typ at+jwt': rt.forge({ key: keyOf('rt'), header: { typ: 'at+jwt' } }),
    'a refresh token under the key of action tokens': rt.forge({ key: keyOf('ft'), header: { kid: keyOf('ft').kid } }),
    'a refresh token under the action key, with the refresh kid': rt.forge({ key: keyOf('ft') }),
    'a refresh token without algorithm': rt.forge({ header: { alg: 'none' }, signature: () => Buffer.alloc(0) }),
    'a refresh token under the empty key': rt.forge({ signature: hmac('') }),
    'a refresh token under its kid as key': rt.forge({ signature: hmac(keyOf('rt').kid) }),
    'a refresh token for the access audience': rt.forge({ key: keyOf('rt'), claims: { aud: config.tokenAudience } }),
    'a refresh token of another issuer': rt.forge({ key: keyOf('rt'), claims: { iss: 'https://evil.example' } }),
    'a refresh token with padding': `${tokens.refresh_token}=`,
    'a refresh token with a space': tokens.refresh_token.replace('.', ' .'),
    'a refresh token with a newline': `${tokens.refresh_token}\n`,
    'a refresh token with crit': rt.forge({ key: keyOf('rt'), header: { crit: null } }),
    'an expired refresh token': rt.forge({ key: keyOf('rt'), claims: { exp: 1 } }),
    'a refresh token of an ended session span': rt.forge({ key: keyOf('rt'), claims: { sexp: 1 } }),
    'JSON serialisation': JSON.stringify({ payload: 'e30', protected: 'e30', signature: 'e30' }),
    'a password': PASSWORD,
  }
  for (const member of ['sub', 'sid', 'gen', 'ver', 'exp', 'sexp', 'aud', 'iss', 'scope', 'amr']) {
    for (const value of [undefined, null, '', {}, -1]) {
      if (!(member === 'ver' && value === -1) && !(member === 'scope' && value === '')) impostors[`a refresh token with ${member} ${JSON.stringify(value)}`] = rt.forge({ key: keyOf('rt'), claims: { [member]: value } })
    }
  }
  const before = await verify(tokens.access_token)
  for (const [name, token] of Object.entries(impostors)) {
    const answer = await refresh(token)
    t.match([answer.statusCode, answer.json().code, answer.headers['www-authenticate']], [401, 'session_ended', 'Bearer'], `${name} does not refresh`)
    const inCookie = await call('POST', '/v1/auth/refresh', { cookies: { '__Host-rt': encodeURIComponent(token) } })
    t.match([inCookie.statusCode, inCookie.json().code], [401, 'session_ended'], `${name} does not refresh from the cookie`)
    t.equal((await call('POST', '/v1/auth/logout', { body: { refresh_token: token } })).statusCode, 204)
  }
  t.equal((await verify(tokens.access_token)).body, before.body, 'and none of them ended the session')
  t.equal((await refresh(tokens.refresh_token)).statusCode, 200)
})

t.test('with RS256 a token is good under RS256 only, although its key could verify others', async t => {
  const w = await world(t, { SIGNING_ALG: 'RS256' })
  const good = (await w.signIn()).access_token
  const { forge, header, key } = forgeFrom(w.ctx, good)
  t.equal(header.alg, 'RS256')
  t.equal((await w.verify(good)).statusCode, 200)
  t.equal((await w.verify(forge())).statusCode, 200, 'control')
  const { pem, jwk } = key.public!
  const PS256 = pss(key.secret as string)
  const shapes: Shapes = {
    'a true PS256 signature': forge({ header: { alg: 'PS256' }, signature: PS256 }),
    'a PS256 signature called RS256': forge({ signature: PS256 }),
    'an RS256 signature called PS256': forge({ header: { alg: 'PS256' } }),
    'RS256 called RS512': forge({ header: { alg: 'RS512' } }),
    'RS256 called ES256': forge({ header: { alg: 'ES256' } }),
    'HS256 with the public PEM': forge({ header: { alg: 'HS256' }, signature: hmac(pem) }),
    'HS256 with the trimmed PEM': forge({ header: { alg: 'HS256' }, signature: hmac(pem.trim()) }),
    'HS256 with the modulus': forge({ header: { alg: 'HS256' }, signature: hmac('n' in jwk ? Buffer.from(jwk.n, 'base64url') : '') }),
    'HS256 with the JWK': forge({ header: { alg: 'HS256' }, signature: hmac(JSON.stringify(jwk)) }),
    'a short signature': forge({ signature: input => signatureBy(key)(input).subarray(1) }),
    'no signature': forge({ signature: () => Buffer.alloc(0) }),
    'alg none': forge({ header: { alg: 'none' }, signature: () => Buffer.alloc(0) }),
  }
  await refusesAll(t, w, shapes)
})

t.test('once a signing key is known to be stolen its tokens are refused for good, not asked to come again', async t => {
  const { ctx, sql, signIn, verify, refresh } = await world(t)
  const tokens = await signIn()
  await sql('UPDATE signing_key SET compromised_at = now() WHERE slot = (SELECT min(slot) FROM signing_key)')
  await ctx.keyring.reload()
  for (const attempt of [1, 2]) {
    t.equal((await verify(tokens.access_token)).statusCode, 401, `access, attempt ${attempt}`)
    t.match((await refresh(tokens.refresh_token)).json(), { status: 401, code: 'session_ended' }, `refresh, attempt ${attempt}`)
  }
  const later = await signIn()
  t.equal((await verify(later.access_token)).statusCode, 200, 'the next key signs')
  t.equal((await refresh(later.refresh_token)).statusCode, 200)
})
