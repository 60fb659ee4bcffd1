const LOCAL = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/
const DOMAIN = /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])$/

/**
 * The one canonical form of a mail address, or null when it is none: trimmed, lower case, an international domain in
 * its ASCII form. Two spellings of one mailbox must not become two accounts (GHSA-7rqj-j65f-68wh), so the check comes
 * after the normalisation, and only "@" itself separates: U+FF20 and U+FE6B, which other software folds into it, refuse.
 * The local part is ASCII: look-alike letters are the attack, and international local parts are hardly in use.
 */
export function canonicalEmail (input: string): string | null {
  if (input.length > 320) return null
  const trimmed = input.trim()
  const at = trimmed.lastIndexOf('@')
  if (at < 1 || at > 64) return null
  const local = trimmed.slice(0, at)
  const domain = asciiDomain(trimmed.slice(at + 1))
  // Before the lower case: U+212A, the Kelvin sign, would become a plain k.
  if (domain === null || !LOCAL.test(local) || !DOMAIN.test(domain) || local.length + domain.length > 253) return null
  return `${local.toLowerCase()}@${domain}`
}

function asciiDomain (domain: string): string | null {
  if (/^[A-Za-z0-9.-]+$/.test(domain)) return domain.toLowerCase()
  // Of what is not plain ASCII only letters, marks, digits, dots and hyphens may reach the URL parser: it would drop or decode the rest.
  if (!/^[\p{L}\p{M}\p{Nd}.-]+$/u.test(domain) || domain.length > 253) return null
  try { return new URL(`https://${domain}`).hostname } catch { return null }
}
