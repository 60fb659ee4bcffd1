import { partsOf, type Foreign, type Check } from './form.ts'

const FORM = /^\$argon2(?:id|i|d)(?:\$v=(?:16|19))?\$m=(\d{1,10}),t=(\d{1,4}),p=(\d{1,3})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,171})$/
/** KiB times passes: about a second. */
const MAX_WORK = 1_048_576

/** All three variants and both versions. @param verify the module's own, which lives in hash.ts alone */
export const argon2 = (verify: (stored: string, password: string) => Promise<boolean>): Foreign => ({
  read: given => {
    const text = typeof given === 'string' ? given : partsOf(given, ['argon2i', 'argon2d', 'argon2id'], ['hash'])?.['hash']
    if (typeof given === 'string') return given.startsWith('$argon2') ? (FORM.test(given) ? given : null) : undefined
    if (typeof text === 'string') return FORM.test(text) && text.startsWith(`$${String(given['algorithm'])}$`) ? text : null
    return String(given['algorithm']).startsWith('argon2') ? null : undefined
  },
  open: stored => {
    const match = FORM.exec(stored)
    if (!match) return null
    const [memory, passes, lanes] = [match[1], match[2], match[3]].map(Number) as [number, number, number]
    if (memory < 8 * lanes || passes < 1 || lanes < 1) return null
    if (memory * passes > MAX_WORK || lanes > 8) return 'costly'
    return (async password => await verify(stored, password)) satisfies Check
  },
})
