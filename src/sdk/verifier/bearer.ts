import type { AccessClaims } from '../claims.ts'
import { VerifierError } from './errors.ts'
import type { Verifier } from './index.ts'

/** Of a token that is good: it must have this scope; and how old the copy of the feed may be (see Verifier). */
export type AuthenticateOptions = { scope?: string, maxStaleness?: number }
/** How the request carries its token; a second place is refused, because a gateway may have looked at the other one (RFC 6750 §2). */
export type Presented = { authorization: string | undefined, elsewhere: boolean }
export type Refusal = { status: number, headers: Record<string, string>, body: { type: string, title: string, status: number, code: string } }

const BEARER = /^bearer ([\x21-\x7e]+)$/i
const TITLES: Record<number, string> = { 400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden', 503: 'Service Unavailable' }

/** The rules of RFC 6750 that every framework shares. */
export async function admit (verifier: Verifier, { authorization, elsewhere }: Presented, { scope, maxStaleness }: AuthenticateOptions = {}): Promise<AccessClaims | Refusal> {
  if (authorization === undefined && !elsewhere) return refusal(401, 'invalid_token', 'Bearer')
  if (elsewhere) return refusal(400, 'invalid_request')
  try {
    const claims = await verifier.verify(BEARER.exec(authorization ?? '')?.[1] ?? '', { maxStaleness })
    if (scope !== undefined && !claims.scope.split(' ').includes(scope)) return refusal(403, 'insufficient_scope', `Bearer error="insufficient_scope", scope="${scope}"`)
    return claims
  } catch (error) {
    if (!(error instanceof VerifierError)) throw error
    // Which of the checks refused it helps only who tries tokens.
    return error.code === 'stale_revocations' || error.code === 'keys_unavailable' ? refusal(503, error.code) : refusal(401, 'invalid_token')
  }
}

export const isRefusal = (outcome: AccessClaims | Refusal): outcome is Refusal => 'status' in outcome && 'body' in outcome

function refusal (status: number, code: string, challenge = `Bearer error="${code}"`): Refusal {
  return {
    status,
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...(status === 503 ? { 'retry-after': '2' } : { 'www-authenticate': challenge }) },
    body: { type: 'about:blank', title: TITLES[status]!, status, code },
  }
}

/** Node.js keeps the first of repeated Authorization headers in silence. */
export const isElsewhere = (rawHeaders: readonly string[], query: unknown): boolean =>
  (typeof query === 'object' && query !== null && 'access_token' in query) ||
  rawHeaders.filter((header, position) => position % 2 === 0 && header.toLowerCase() === 'authorization').length > 1
