import { isUtf8 } from 'node:buffer'
import { isCanonical } from '../../sdk/canonical.ts'
import { KID } from '../keys/public-keys.ts'

/** Longer ones are refused unread; ours are about 600 bytes. */
export const MAX_TOKEN_LENGTH = 8_192
const COMPACT = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/

export type CompactHeader = { alg: string, kid: string, typ: string }

/**
 * The strict form of a signed JWT, looked at before any key or library is: exactly three canonical base64url segments
 * (RFC 7515 §7.1; libraries accept padding, spaces and stray bits), a header object without extensions, a payload in
 * UTF-8. `crit`, `b64` and `zip` change what the other members mean, and we understand none of them (RFC 7515 §4.1.11).
 * @returns null for everything else
 */
export function parseCompact (token: string): CompactHeader | null {
  const header = parseForeign(token)
  return header?.typ === undefined ? null : { ...header, typ: header.typ }
}

/** The same for tokens that others make, whose `typ` may be absent (RFC 7515 §4.1.9). */
export function parseForeign (token: string): Omit<CompactHeader, 'typ'> & { typ: string | undefined } | null {
  if (token.length > MAX_TOKEN_LENGTH) return null
  const match = COMPACT.exec(token)
  if (!match) return null
  const [, head, body, signature] = match as unknown as [string, string, string, string]
  if (!isCanonical(head) || !isCanonical(body) || !isCanonical(signature)) return null
  const headerBytes = Buffer.from(head, 'base64url')
  if (!isUtf8(headerBytes) || !isUtf8(Buffer.from(body, 'base64url'))) return null
  const header = parseObject(headerBytes)
  if (!header || 'crit' in header || 'b64' in header || 'zip' in header) return null
  const { alg, kid, typ } = header
  if (typeof alg !== 'string' || (typ !== undefined && typeof typ !== 'string') || typeof kid !== 'string' || !KID.test(kid)) return null
  return { alg, kid, typ }
}

function parseObject (bytes: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(bytes.toString())
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Record<string, unknown> : null
  } catch { return null }
}
