import { scrypt as scryptWithCallback, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { decode, fromBase64, toBase64, whole } from './encoding.ts'
import { partsOf, type Foreign } from './form.ts'

const FORM = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]*)\$([A-Za-z0-9+/]+)$/
const MAX_MEMORY = 128 * 1024 * 1024
/** N·r·p: about a second. */
const MAX_WORK = 2 ** 21

const run = promisify(scryptWithCallback) as (password: string, salt: Buffer, length: number, options: object) => Promise<Buffer>

/** RFC 7914 asks for N = 2^ln. Null where that would take more memory or time than one sign-in may. */
export function scryptWithin ({ ln, r, p }: { ln: number, r: number, p: number }): ((password: string, salt: Buffer, length: number) => Promise<Buffer>) | null {
  const N = 2 ** ln
  if (ln < 1 || ln > 30 || r < 1 || p < 1 || 128 * N * r > MAX_MEMORY || N * r * p > MAX_WORK) return null
  return async (password, salt, length) => await run(password, salt, length, { N, r, p, maxmem: 2 * MAX_MEMORY })
}

/** The PHC string that passlib and others write, or its parts: n, r, p, salt, hash. */
export const scrypt: Foreign = {
  read: given => {
    if (typeof given === 'string') return given.startsWith('$scrypt$') ? (FORM.test(given) ? given : null) : undefined
    const parts = partsOf(given, ['scrypt'], ['n', 'r', 'p', 'salt', 'hash', 'encoding', 'salt_encoding'])
    if (!parts) return parts
    const [n, r, p] = ['n', 'r', 'p'].map(name => whole(parts[name]))
    const [salt, hash] = [decode(parts['salt'], parts['salt_encoding'] ?? parts['encoding']), decode(parts['hash'], parts['encoding'])]
    const ln = Math.log2(n ?? 0)
    if (!Number.isInteger(ln) || !r || !p || !salt || !hash) return null
    return `$scrypt$ln=${ln},r=${r},p=${p}$${toBase64(salt)}$${toBase64(hash)}`
  },
  open: stored => {
    const [, ln, r, p, salt, hash] = FORM.exec(stored) ?? []
    const [saltBytes, expected] = [fromBase64(salt), fromBase64(hash)]
    if (!saltBytes || !expected || expected.length < 16) return null
    const derive = scryptWithin({ ln: Number(ln), r: Number(r), p: Number(p) })
    return derive ? async password => timingSafeEqual(await derive(password, saltBytes, expected.length), expected) : 'costly'
  },
}
