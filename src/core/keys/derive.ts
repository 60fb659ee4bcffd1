import { hkdfSync } from 'node:crypto'
import type { Key } from './keyring.ts'

const derived = new WeakMap<Key, Map<string, Buffer>>()

/** 32 bytes for one purpose (HKDF, RFC 5869), made once while the key is held: what is made for one purpose is noise to the others. */
export function deriveKey (key: Key, purpose: string): Buffer {
  const known = derived.get(key) ?? new Map<string, Buffer>()
  derived.set(key, known)
  let bytes = known.get(purpose)
  if (!bytes) known.set(purpose, bytes = Buffer.from(hkdfSync('sha256', key.secret, '', purpose, 32)))
  return bytes
}
