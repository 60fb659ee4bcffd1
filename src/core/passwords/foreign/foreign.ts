import { argon2 } from './argon2.ts'
import { bcrypt } from './bcrypt.ts'
import { firebaseScrypt } from './firebase-scrypt.ts'
import type { Check, Foreign, GivenHash } from './form.ts'
import { pbkdf2 } from './pbkdf2.ts'
import { saltedSha2 } from './salted-sha2.ts'
import { scrypt } from './scrypt.ts'

type Argon2Verify = (stored: string, password: string) => Promise<boolean>

const algorithms = (verify: Argon2Verify): readonly Foreign[] => [argon2(verify), bcrypt, scrypt, firebaseScrypt, pbkdf2, saltedSha2]

const readable = algorithms(async () => false)

/** The one string that is stored for what another system wrote, or why it is not accepted. */
export function storedForm (given: GivenHash): { stored: string } | { refused: 'invalid_hash' | 'unknown_hash' | 'hash_too_costly' } {
  for (const algorithm of readable) {
    const stored = algorithm.read(given)
    if (stored === undefined) continue
    const check = stored === null ? null : algorithm.open(stored)
    if (stored === null || check === null) return { refused: 'invalid_hash' }
    return check === 'costly' ? { refused: 'hash_too_costly' } : { stored }
  }
  return { refused: 'unknown_hash' }
}

/** The check of a stored hash that is not ours, or null where it is none that may be run. */
export function foreignCheck (stored: string, verify: Argon2Verify): Check | null {
  for (const algorithm of algorithms(verify)) {
    const check = algorithm.open(stored)
    if (check) return check === 'costly' ? null : check
  }
  return null
}
