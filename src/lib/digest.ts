import { hash } from 'node:crypto'

/** What a revocation names: s a session, u a user, j one token, k a key, a everything. */
export type RevocationKind = 's' | 'u' | 'j' | 'k' | 'a'

/** First 12 bytes of SHA-256(kind ":" value): the feed is public, and names nobody who is not known already. */
export const revocationId = (kind: RevocationKind, value: string): Buffer =>
  hash('sha256', `${kind}:${value}`, 'buffer').subarray(0, 12)

/** The same as the feed writes it, sixteen characters of base64url: one call, for what is asked at every verification. */
export const revocationName = (kind: RevocationKind, value: string): string =>
  hash('sha256', `${kind}:${value}`, 'base64url').slice(0, 16)
