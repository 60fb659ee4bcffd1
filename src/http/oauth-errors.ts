import { errorCodes, type ErrorCode } from '../errors.ts'

/** The words that callers of /oauth2 know: RFC 6749 §5.2, RFC 6750 §3.1, RFC 7009 §2.2.1. */
const own = ['invalid_request', 'invalid_client', 'unauthorized_client', 'unsupported_grant_type', 'invalid_scope', 'invalid_token', 'insufficient_scope'] as const
export const oauthErrors = [...own, 'temporarily_unavailable', 'server_error'] as const

/** Ours in those words: what may be tried again, what is our fault, and what the request itself has wrong. */
export function oauthErrorOf (code: ErrorCode): typeof oauthErrors[number] {
  const { status } = errorCodes[code]
  if ((own as readonly string[]).includes(code)) return code as typeof own[number]
  if (status === 503 || status === 429) return 'temporarily_unavailable'
  return status === 500 ? 'server_error' : 'invalid_request'
}
