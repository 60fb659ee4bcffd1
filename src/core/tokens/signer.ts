import { createSigner } from 'fast-jwt'
import type { Key } from '../keys/keyring.ts'

type Sign = (claims: object) => string

/**
 * Signs on the calling thread, with one prepared signer a key: 21 µs for ES256. WebCrypto would queue behind password
 * hashes in libuv's threads.
 */
export function signerFor (typ: string): (key: Key) => Sign {
  const signers = new WeakMap<Key, Sign>()
  return key => {
    const known = signers.get(key)
    if (known) return known
    const sign = createSigner({ key: key.secret, algorithm: key.alg, kid: key.kid, header: { alg: key.alg, typ, kid: key.kid } }) as Sign
    signers.set(key, sign)
    return sign
  }
}
