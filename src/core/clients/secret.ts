import { hash, randomBytes, timingSafeEqual } from 'node:crypto'

/** 256 random bits: they cannot be guessed, so a fast digest keeps them as safe as a slow one would. */
export const newSecret = (): string => randomBytes(32).toString('base64url')

export const secretDigest = (secret: string): Buffer => hash('sha256', secret, 'buffer')

const NOBODYS = randomBytes(32)

/** Does the same work for a client that does not exist, or that has no secret. */
export function isSecretOf (client: { secretDigest: Uint8Array | null } | undefined, secret: string): boolean {
  const expected = client?.secretDigest ?? NOBODYS
  return timingSafeEqual(secretDigest(secret), expected) && expected !== NOBODYS
}
