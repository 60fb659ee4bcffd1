import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { deflateRawSync } from 'node:zlib'
import { CompactEncrypt } from 'jose'
import { base64url, hmac, pss, signatureBy, type forgeFrom } from './forge.ts'

export type Shapes = Record<string, string>

type Forged = {
  forged: ReturnType<typeof forgeFrom>, good: string
  /** Seconds since the epoch. */
  now: number
}
type Given = Forged & {
  refreshToken: string, jwks: string
  /** A URL under our eyes: nobody may fetch it. */
  elsewhere: string
}

/** A URL of ours, and how often anybody came. */
export async function watchedUrl (t: { teardown: (work: () => unknown) => void }): Promise<{ url: string, connections: () => number }> {
  let connections = 0
  const listener = createServer(socket => { connections++; socket.destroy() }).listen(0, '127.0.0.1')
  t.teardown(() => listener.close())
  await once(listener, 'listening')
  return { url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}/jwks.json`, connections: () => connections }
}

/** The controls: a refusal of the others is for what they are. */
export const goodTokens = ({ forged: { forge, claims }, good, now }: Forged): Shapes => ({
  issued: good,
  forged: forge(),
  'of two audiences': forge({ claims: { aud: ['https://other.example', claims.aud] } }),
  'expired within the leeway': forge({ claims: { exp: now - 30 } }),
  'of a service itself': forge({ claims: ofService(claims.sub!) }),
})

/** What makes a user's claims those of a service's own token. */
const ofService = (id: string) => ({ sub: id, client_id: id, ver: 0, sid: undefined, roles: undefined, auth_time: undefined, amr: undefined, acr: undefined })

/** Tokens that no verifier may accept, by what they try. Whoever verifies access tokens is held against the same list. */
export async function hostileTokens ({ forged, good, refreshToken, jwks, now, elsewhere }: Given): Promise<Record<'algorithms' | 'pointers' | 'extensions' | 'segments' | 'times' | 'identity' | 'services' | 'kinds', Shapes>> {
  const { forge, header, claims, key, keyOf } = forged
  const [first, second, third] = good.split('.') as [string, string, string]
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
    PEM: pem, 'PEM without its last newline': pem.trimEnd(), 'PEM in CRLF': pem.replaceAll('\n', '\r\n'), 'PEM after a space': ` ${pem}`, 'PEM after a BOM': `\ufeff${pem}`,
    'PEM after a comment': `# key\n${pem}`, DER: publicKey.export({ type: 'spki', format: 'der' }), JWK: JSON.stringify(jwk), JWKS: jwks,
    coordinate: Buffer.from('x' in jwk ? jwk.x : '', 'base64url'), 'empty secret': '', kid: key.kid,
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
  identity['payload after a BOM'] = forge({ rawPayload: `\ufeff${JSON.stringify(claims)}` })
  identity['payload with bad UTF-8'] = forge({ rawPayload: Buffer.concat([Buffer.from(JSON.stringify({ ...claims, x: '' }).replace('""}', '"')), Buffer.from([0xff]), Buffer.from('"}')]) })

  // Between a user's token and a service's own there is nothing.
  const services: Shapes = { 'a user’s token without its session': claiming({ sid: undefined }), 'and without what a sign-in leaves': claiming({ ...ofService(claims.sub!), client_id: claims['client_id'] }) }
  for (const [name, values] of Object.entries({
    sid: [claims['sid'], null, '', 'x'], ver: [undefined, null, 1, -1, 0.5, '0', 2_147_483_648], roles: [[], ['admin'], null], auth_time: [now, null], amr: [['pwd'], null], acr: ['aal1', null],
    sub: ['01930f4e-8a3b-7c2d-9e1f-0a1b2c3d4e5f', undefined, null, ''], client_id: ['app', undefined, null, '', [claims.sub]],
  })) for (const value of values) services[`a service’s token with ${name} ${JSON.stringify(value)}`] = claiming({ ...ofService(claims.sub!), [name]: value })
  services['a session without an epoch'] = claiming({ ...ofService(claims.sub!), sid: claims['sid'], roles: [], ver: undefined })

  const kinds: Shapes = { 'the refresh token': refreshToken }
  for (const typ of ['JWT', 'jwt', 'rt+jwt', 'logout+jwt', 'dpop+jwt', 'secevent+jwt', 'AT+JWT', 'application/at+jwt', 'at+jwt ', '', null, undefined, 1, ['at+jwt']]) kinds[`typ ${JSON.stringify(typ)}`] = signed({ typ })

  return { algorithms, pointers, extensions, segments, times, identity, services, kinds }
}

/** The same for a key that signs RS256, and could verify more. */
export function hostileRsaTokens ({ forge, key }: ReturnType<typeof forgeFrom>): Shapes {
  const { pem, jwk } = key.public!
  const PS256 = pss(key.secret as string)
  return {
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
}
