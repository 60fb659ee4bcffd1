/** What only a user can be granted, at sign-in: no client may have them, and no token of a client opens what asks for them. */
export const USER_SCOPES: readonly string[] = ['account', 'admin']
/** Lets the bearer introspect tokens and read the feed of endings where that is closed. */
export const INTROSPECT_SCOPE = 'introspect'

/** RFC 6749 §3.3 scope-token. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/
export const MAX_SCOPES = 32

/** @returns the scopes of a list separated by single spaces, each once; null when it is not of that form */
export function parseScopes (text: string): string[] | null {
  const scopes = text.split(' ')
  return scopes.length <= MAX_SCOPES && scopes.every(scope => SCOPE.test(scope)) ? [...new Set(scopes)] : null
}
