import { generateKeyPair, randomBytes, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { calculateJwkThumbprint } from 'jose'

/** RFC 7518 §6.2.1, §6.3.1: the public members and no others. */
export type PublicJwk = { kty: 'EC', crv: string, x: string, y: string } | { kty: 'RSA', n: string, e: string }

export type KeyAlg = 'ES256' | 'RS256' | 'HS256'

/** `secret` is what gets sealed: PKCS #8 DER, or the 32 bytes of an HMAC key. */
export type NewKey = { kid: string, alg: KeyAlg, publicJwk: PublicJwk | null, secret: Buffer }

const generate = promisify(generateKeyPair)

/** `kid` is the RFC 7638 thumbprint, or random for keys that are never published: never a path or a name. */
export async function generateKey (alg: KeyAlg): Promise<NewKey> {
  if (alg === 'HS256') return { kid: randomBytes(16).toString('base64url'), alg, publicJwk: null, secret: randomBytes(32) }
  const { privateKey } = alg === 'ES256'
    ? await generate('ec', { namedCurve: 'P-256' })
    : await generate('rsa', { modulusLength: 2048 })
  const publicJwk = publicJwkOf(privateKey)
  return { kid: await calculateJwkThumbprint(publicJwk), alg, publicJwk, secret: privateKey.export({ type: 'pkcs8', format: 'der' }) }
}

/** Public members only, picked by name: a private member cannot come along by accident. */
function publicJwkOf (privateKey: KeyObject): PublicJwk {
  const { kty, crv, x, y, n, e } = createPublicKey(privateKey).export({ format: 'jwk' })
  return kty === 'EC' ? { kty, crv: crv!, x: x!, y: y! } : { kty: 'RSA', n: n!, e: e! }
}

export const privatePem = (pkcs8: Buffer): string =>
  createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }).export({ type: 'pkcs8', format: 'pem' }) as string

export const publicPem = (jwk: PublicJwk): string =>
  createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' }) as string
