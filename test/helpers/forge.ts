import { constants, createHmac, sign, verify } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import type { Context } from '../../src/context.ts'
import type { Key } from '../../src/core/keys/keyring.ts'

export type Parts = {
  /** Members that replace those of the good token; `undefined` removes one. */
  header?: object,
  claims?: object
  /** Instead of the JSON of those: any bytes. */
  rawHeader?: string | Buffer,
  rawPayload?: string | Buffer
  /** Instead of a true signature by the key: any bytes made from what is signed. */
  signature?: (input: string) => Buffer
  key?: Key
}

export const base64url = (bytes: string | Buffer): string => Buffer.from(bytes).toString('base64url')
export const hmac = (secret: string | Buffer, bits: 256 | 384 | 512 = 256) => (input: string): Buffer => createHmac(`sha${bits}`, secret).update(input).digest()
export const pss = (pem: string) => (input: string): Buffer =>
  sign('sha256', Buffer.from(input), { key: pem, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST })

/** Builds whatever an attacker would, also what only a thief of the signing key could: from one good token and the real keys. */
export function forgeFrom (ctx: Context, good: string) {
  const keyOf = (use: 'at' | 'rt' | 'ft'): Key => ctx.keyring.signingKey(use, ctx.clock.now() / 1000)
  const current = keyOf('at')
  const header = decodeProtectedHeader(good)
  const claims = decodeJwt(good)
  const forge = (parts: Parts = {}): string => {
    const key = parts.key ?? current
    const input = `${base64url(parts.rawHeader ?? JSON.stringify({ ...header, ...parts.header }))}.${base64url(parts.rawPayload ?? JSON.stringify({ ...claims, ...parts.claims }))}`
    return `${input}.${base64url((parts.signature ?? signatureBy(key))(input))}`
  }
  return { forge, header, claims, key: current, keyOf }
}

export const signatureBy = ({ alg, secret }: Pick<Key, 'alg' | 'secret'>) => (input: string): Buffer => alg === 'HS256'
  ? hmac(secret)(input)
  : sign('sha256', Buffer.from(input), { key: secret as string, dsaEncoding: 'ieee-p1363' })

/** Is it signed by that key? Shows that a refusal was for what is under test and not for a slip of the forger. */
export function isSignedBy (key: Key, token: string): boolean {
  const at = token.lastIndexOf('.')
  return verify('sha256', Buffer.from(token.slice(0, at)), { key: key.public!.pem, dsaEncoding: 'ieee-p1363' }, Buffer.from(token.slice(at + 1), 'base64url'))
}
