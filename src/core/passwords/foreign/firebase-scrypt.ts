import { createCipheriv, timingSafeEqual } from 'node:crypto'
import { fromBase64, toBase64, whole } from './encoding.ts'
import { partsOf, type Foreign } from './form.ts'
import { scryptWithin } from './scrypt.ts'

const FORM = /^\$firebase-scrypt\$ln=(\d{1,2}),r=(\d{1,3}),sep=([A-Za-z0-9+/]*),key=([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]*)\$([A-Za-z0-9+/]+)$/

/**
 * Firebase's variant (github.com/firebase/scrypt): scrypt with p = 1 gives a key under which AES-256-CTR, from a zero counter, encrypts the
 * project's signer key; that ciphertext is the hash. Both primitives are OpenSSL's. A wrapper package for it does the same, on the calling thread.
 */
export const firebaseScrypt: Foreign = {
  read: given => {
    if (typeof given === 'string') return given.startsWith('$firebase-scrypt$') ? (FORM.test(given) ? given : null) : undefined
    const parts = partsOf(given, ['firebase-scrypt'], ['hash', 'salt', 'signer_key', 'salt_separator', 'rounds', 'mem_cost'])
    if (!parts) return parts
    const [hash, salt, key, separator] = ['hash', 'salt', 'signer_key', 'salt_separator'].map(name => fromBase64(parts[name])) as [Buffer | null, Buffer | null, Buffer | null, Buffer | null]
    const [rounds, memCost] = [whole(parts['rounds']), whole(parts['mem_cost'])]
    if (!hash || !salt || !key || !separator || rounds === null || memCost === null) return null
    return `$firebase-scrypt$ln=${memCost},r=${rounds},sep=${toBase64(separator)},key=${toBase64(key)}$${toBase64(salt)}$${toBase64(hash)}`
  },
  open: stored => {
    const [, ln, r, ...encoded] = FORM.exec(stored) ?? []
    const [separator, key, salt, expected] = encoded.map(fromBase64)
    if (!separator || !key || !salt || !expected || key.length < 16 || expected.length !== key.length) return null
    const derive = scryptWithin({ ln: Number(ln), r: Number(r), p: 1 })
    if (!derive) return 'costly'
    return async password => {
      const derived = await derive(password, Buffer.concat([salt, separator]), 32)
      const cipher = createCipheriv('aes-256-ctr', derived, Buffer.alloc(16))
      return timingSafeEqual(Buffer.concat([cipher.update(key), cipher.final()]), expected)
    }
  },
}
