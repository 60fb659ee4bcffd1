import { pbkdf2 as pbkdf2WithCallback, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { decode, fromBase64, toBase64, whole } from './encoding.ts'
import { partsOf, type Foreign } from './form.ts'

const FORM = /^\$pbkdf2-(sha1|sha256|sha512)\$i=(\d{1,8})\$([A-Za-z0-9+/]*)\$([A-Za-z0-9+/]+)$/
const DJANGO = /^pbkdf2_(sha1|sha256|sha512)\$(\d{1,8})\$([^$]{1,256})\$([A-Za-z0-9+/]+={0,2})$/
const MODULAR = /^\$pbkdf2(?:-(sha1|sha256|sha512))?\$(?:i=)?(\d{1,8})(?:,l=\d{1,3})?\$([A-Za-z0-9+/.]*)\$([A-Za-z0-9+/.]+={0,2})$/
const HASH_BYTES = { sha1: 20, sha256: 32, sha512: 64 }
/** Of all blocks together: about a second with SHA-256. */
const MAX_ITERATIONS = 2_000_000

const derive = promisify(pbkdf2WithCallback)

/** Django's string, passlib's and PHC's, or the parts: digest, iterations, salt, hash. */
export const pbkdf2: Foreign = {
  read: given => {
    if (typeof given === 'string') {
      if (!/^(?:\$pbkdf2[-$]|pbkdf2_)/.test(given)) return undefined
      const django = DJANGO.exec(given)
      if (django) return write(django[1], Number(django[2]), Buffer.from(django[3]!), fromBase64(django[4]))
      const modular = MODULAR.exec(given)
      return modular && write(modular[1] ?? 'sha1', Number(modular[2]), fromBase64(modular[3]), fromBase64(modular[4]))
    }
    const parts = partsOf(given, ['pbkdf2'], ['digest', 'iterations', 'salt', 'hash', 'encoding', 'salt_encoding'])
    if (!parts) return parts
    return write(parts['digest'], whole(parts['iterations']), decode(parts['salt'], parts['salt_encoding'] ?? parts['encoding']), decode(parts['hash'], parts['encoding']))
  },
  open: stored => {
    const [, digest, iterations, salt, hash] = FORM.exec(stored) ?? []
    const [saltBytes, expected] = [fromBase64(salt), fromBase64(hash)]
    if (!saltBytes || !expected || expected.length < 16 || Number(iterations) < 1) return null
    const blocks = Math.ceil(expected.length / HASH_BYTES[digest as keyof typeof HASH_BYTES])
    if (Number(iterations) * blocks > MAX_ITERATIONS) return 'costly'
    return async password => timingSafeEqual(await derive(password, saltBytes, Number(iterations), expected.length, digest!), expected)
  },
}

function write (digest: unknown, iterations: number | null, salt: Buffer | null, hash: Buffer | null): string | null {
  if (typeof digest !== 'string' || !Object.hasOwn(HASH_BYTES, digest) || iterations === null || !salt || !hash) return null
  return `$pbkdf2-${digest}$i=${iterations}$${toBase64(salt)}$${toBase64(hash)}`
}
