import { hash as digestOf, timingSafeEqual } from 'node:crypto'
import { decode, fromBase64, toBase64 } from './encoding.ts'
import { partsOf, type Foreign } from './form.ts'

const FORM = /^\$(sha256|sha512)\$o=(sp|ps)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/
const LDAP = /^\{SSHA(256|512)\}([A-Za-z0-9+/]+={0,2})$/
const HASH_BYTES = { sha256: 32, sha512: 64 }

/** One round of SHA-2 over salt and password in either order: hardly a password hash, and gone at the owner's next sign-in. */
export const saltedSha2: Foreign = {
  read: given => {
    if (typeof given === 'string') {
      if (FORM.test(given)) return given
      if (!given.startsWith('{SSHA')) return undefined
      const [, bits, encoded] = LDAP.exec(given) ?? []
      const bytes = fromBase64(encoded)
      const length = Number(bits) / 8
      return bytes && write(`sha${bits}`, 'ps', bytes.subarray(length), bytes.subarray(0, length))
    }
    const parts = partsOf(given, ['sha256', 'sha512'], ['order', 'salt', 'hash', 'encoding', 'salt_encoding'])
    if (!parts) return parts
    const order = ({ 'salt+password': 'sp', 'password+salt': 'ps' } as Record<string, string | undefined>)[String(parts['order'])]
    return order === undefined ? null : write(String(parts['algorithm']), order, decode(parts['salt'], parts['salt_encoding'] ?? parts['encoding']), decode(parts['hash'], parts['encoding']))
  },
  open: stored => {
    const [, algorithm, order, salt, hash] = FORM.exec(stored) ?? []
    const [saltBytes, expected] = [fromBase64(salt), fromBase64(hash)]
    if (!saltBytes || !expected || expected.length !== HASH_BYTES[algorithm as keyof typeof HASH_BYTES]) return null
    return async password => {
      const bytes = Buffer.from(password)
      return timingSafeEqual(digestOf(algorithm!, Buffer.concat(order === 'sp' ? [saltBytes, bytes] : [bytes, saltBytes]), 'buffer'), expected)
    }
  },
}

const write = (algorithm: string, order: string, salt: Buffer | null, hash: Buffer | null): string | null =>
  salt && salt.length > 0 && hash ? `$${algorithm}$o=${order}$${toBase64(salt)}$${toBase64(hash)}` : null
