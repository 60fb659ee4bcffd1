import type { PublishedKey } from './public-keys.ts'

/** RFC 7517: each key carries what it may be used for, so that a verifier need not guess. */
export const toJwks = (keys: readonly PublishedKey[]) => ({
  keys: keys.flatMap(key => key.public ? [{ ...key.public.jwk, kid: key.kid, use: 'sig' as const, alg: key.alg }] : []),
})
