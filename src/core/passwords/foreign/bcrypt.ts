import bcryptModule from 'bcrypt'
import { partsOf, type Foreign } from './form.ts'

const FORM = /^\$2([aby])\$(\d\d)\$[./A-Za-z0-9]{53}$/
/** About a second; each step doubles it. */
const MAX_COST = 14

/**
 * bcrypt reads 72 bytes, and the systems that stored these hashes ignored the rest, so we do too: cut here, because the module
 * counts the length of $2a$ passwords in one byte, as a library of 1997 did. $2y$ is PHP's name for what is $2b$ elsewhere.
 */
export const bcrypt: Foreign = {
  read: given => {
    const text = typeof given === 'string' ? given : partsOf(given, ['bcrypt'], ['hash'])?.['hash']
    if (typeof text !== 'string') return typeof given === 'object' && given['algorithm'] === 'bcrypt' ? null : undefined
    return typeof given === 'string' && !text.startsWith('$2') ? undefined : FORM.test(text) ? text : null
  },
  open: stored => {
    const [, , cost] = FORM.exec(stored) ?? []
    if (cost === undefined || Number(cost) < 4) return null
    if (Number(cost) > MAX_COST) return 'costly'
    const portable = stored.replace('$2y$', '$2b$')
    return async password => await bcryptModule.compare(Buffer.from(password).subarray(0, 72), portable)
  },
}
