import type { KeyAlg, PublicJwk } from './generate.ts'

/** What a `kid` may look like; anything else is not worth a look-up, let alone a reload. */
export const KID = /^[A-Za-z0-9_-]{1,64}$/

/** What whoever only verifies needs of a key. */
export type PublishedKey = {
  readonly kid: string, readonly alg: KeyAlg
  /** Null for HMAC keys. */
  readonly public: { readonly jwk: PublicJwk, readonly pem: string } | null
}

/** The keys of access tokens, to look at: the installation's own (Keyring), or an upstream's. */
export type PublicKeys = {
  /** Are there any to verify with? */
  readonly ready: boolean
  /** When they were last read, on this process's monotonic clock, in milliseconds. */
  readonly readAt: number
  find: (use: 'at', kid: string) => PublishedKey | undefined
  /** As `find`, after a look at the source when the kid is unknown. `fresh` tells "no such key" from "could not look". */
  findFresh: (use: 'at', kid: string) => Promise<{ key: PublishedKey | undefined, fresh: boolean }>
  published: () => readonly PublishedKey[]
  /** For the metrics; only where keys are made. */
  ages?: () => { use: string, age: number, untilNext: number }[]
}
