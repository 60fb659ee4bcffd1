import { hash } from 'node:crypto'

/** What a revocation names: s a session, u a user, j one token, k a key, a everything. */
export type RevocationKind = 's' | 'u' | 'j' | 'k' | 'a'

/** First 12 bytes of SHA-256(kind ":" value): the feed is public, and names nobody who is not known already. */
export const revocationId = (kind: RevocationKind, value: string): Buffer =>
  hash('sha256', `${kind}:${value}`, 'buffer').subarray(0, 12)
