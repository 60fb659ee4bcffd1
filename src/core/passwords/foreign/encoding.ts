/** What salts and hashes may be; anything longer is no salt and no hash. */
const MAX_BYTES = 256

/** Base64 without padding, as PHC strings have it. */
export const toBase64 = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '')

/** Base64 with or without padding, in the alphabet of PHC strings, of URLs or of passlib; null for anything else. */
export function fromBase64 (text: unknown): Buffer | null {
  if (typeof text !== 'string' || text.length > MAX_BYTES * 2 || !/^[A-Za-z0-9+/._-]*={0,2}$/.test(text)) return null
  const plain = text.replace(/=+$/, '').replaceAll(/[._-]/g, sign => sign === '_' ? '/' : '+')
  const bytes = Buffer.from(plain, 'base64')
  // Characters that carry no whole byte would be lost in silence.
  return plain.length % 4 !== 1 && bytes.length <= MAX_BYTES ? bytes : null
}

/** A salt or a hash in the encoding that a line names: base64 unless it says otherwise. */
export function decode (text: unknown, encoding: unknown = 'base64'): Buffer | null {
  if (encoding === 'base64') return fromBase64(text)
  if (typeof text !== 'string' || text.length > MAX_BYTES * 2) return null
  if (encoding === 'hex') return /^(?:[0-9a-fA-F]{2})*$/.test(text) ? Buffer.from(text, 'hex') : null
  if (encoding !== 'utf8') return null
  const bytes = Buffer.from(text)
  return bytes.length <= MAX_BYTES ? bytes : null
}

/** A whole number as it is written in JSON; null for anything else. */
export const whole = (value: unknown): number | null => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null
