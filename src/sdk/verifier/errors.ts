const MEANING = {
  malformed_token: 'not the strict form of a signed access token',
  unknown_key: 'no published key has this kid and algorithm',
  invalid_signature: 'the signature is not by the key it names',
  invalid_claims: 'the claims are not those of an access token for this audience',
  expired: 'the token has expired',
  revoked: 'the session, the user, the key or everything before a moment was ended',
  stale_revocations: 'the copy of the revocation feed is older than asked for',
  keys_unavailable: 'the keys of the issuer could not be fetched',
} as const

export type VerifierErrorCode = keyof typeof MEANING

/** Why a token was not accepted. `stale_revocations` and `keys_unavailable` say nothing of the token: answer 503. Else 401. */
export class VerifierError extends Error {
  readonly code: VerifierErrorCode

  constructor (code: VerifierErrorCode, options?: { cause?: unknown }) {
    super(MEANING[code], options)
    this.name = 'VerifierError'
    this.code = code
  }
}
