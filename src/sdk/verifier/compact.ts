import { base64url } from 'jose'
import { isCanonical } from '../canonical.ts'
import { ACCESS_TYP } from '../claims.ts'

/** One key, one algorithm: these two, and only as the JWKS binds them to a key (RFC 8725 §3.1). */
export const ALGORITHMS = ['ES256', 'RS256']
const MAX_TOKEN_LENGTH = 8_192
const KID = /^[A-Za-z0-9_-]{1,64}$/
const COMPACT = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/
/** U+FEFF: skipped in silence by one reader of the payload and refused by the next. */
const BYTE_ORDER_MARK = '77u_'
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The strict form of an access token, looked at before any key or library is; the same rules as the service's own
 * (RFC 7515 §7.1, §4.1.11; RFC 9068 §2.1). That the payload is UTF-8 jose sees to.
 * @returns null for everything else
 */
export function parseCompact (token: unknown): { kid: string } | null {
  if (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH) return null
  const [, first, second, third] = COMPACT.exec(token) ?? []
  if (!first || !second || !third || !isCanonical(first) || !isCanonical(second) || !isCanonical(third) || second.startsWith(BYTE_ORDER_MARK)) return null
  const known = headers.get(first)
  if (known) return known
  const header = parseHeader(first)
  if (header) {
    if (headers.size >= MAX_HEADERS) headers.clear()
    headers.set(first, header)
  }
  return header
}

/** All tokens of one key have the same header: it is read once. */
const headers = new Map<string, { kid: string }>()
const MAX_HEADERS = 16

function parseHeader (segment: string): { kid: string } | null {
  try {
    const header: unknown = JSON.parse(utf8.decode(base64url.decode(segment)))
    if (typeof header !== 'object' || header === null || Array.isArray(header) || 'crit' in header || 'b64' in header || 'zip' in header) return null
    const { alg, kid, typ } = header as Record<string, unknown>
    if (typ !== ACCESS_TYP || typeof alg !== 'string' || !ALGORITHMS.includes(alg) || typeof kid !== 'string' || !KID.test(kid)) return null
    return { kid }
  } catch { return null }
}
