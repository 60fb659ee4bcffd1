/**
 * Two texts that decode to the same bytes would be two names for one token: what the last character of a segment has beyond whole bytes is zero (RFC 4648 §3.5).
 * @param segment of the base64url alphabet, which whoever asks has seen to
 */
export function isCanonical (segment: string): boolean {
  const rest = segment.length % 4
  return rest === 0 || (rest === 2 && 'AQgw'.includes(segment.at(-1)!)) || (rest === 3 && 'AEIMQUYcgkosw048'.includes(segment.at(-1)!))
}
