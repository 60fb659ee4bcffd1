import { base64url } from 'jose'
import { ACCESS_TYP } from '../claims.ts'

/** One key, one algorithm: these two, and only as the JWKS binds them to a key (RFC 8725 §3.1). */
export const ALGORITHMS = ['ES256', 'RS256']
const MAX_TOKEN_LENGTH = 8_192
const KID = /^[A-Za-z0-9_-]{1,64}$/
/** Canonical base64url, not empty: unused bits of the last character are zero, or one token would have many names. */
const SEGMENT = '(?=.)((?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-][AQgw]|[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048])?)'
const COMPACT = new RegExp(`^(?!\\.)${SEGMENT}\\.(?!\\.)${SEGMENT}\\.${SEGMENT}$`)
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The strict form of an access token, looked at before any key or library is; the same rules as the service's own
 * (RFC 7515 §7.1, §4.1.11; RFC 9068 §2.1).
 * @returns null for everything else
 */
export function parseCompact (token: unknown): { kid: string } | null {
  if (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH) return null
  const match = COMPACT.exec(token)
  if (!match) return null
  try {
    const header: unknown = JSON.parse(textOf(match[1]!))
    // A byte order mark would be skipped in silence by one reader and refused by the next.
    if (textOf(match[2]!).startsWith('\ufeff') || typeof header !== 'object' || header === null || Array.isArray(header)) return null
    if ('crit' in header || 'b64' in header || 'zip' in header) return null
    const { alg, kid, typ } = header as Record<string, unknown>
    if (typ !== ACCESS_TYP || typeof alg !== 'string' || !ALGORITHMS.includes(alg) || typeof kid !== 'string' || !KID.test(kid)) return null
    return { kid }
  } catch { return null }
}

const textOf = (segment: string): string => utf8.decode(base64url.decode(segment))
