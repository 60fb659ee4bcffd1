import { isIP } from 'node:net'
import { availableParallelism } from 'node:os'

/** How the text of one environment variable becomes a value, or a fault that completes "NAME …". */
export type Parse<T> = (raw: string) => { value: T } | { fault: string }

export const text = (maxLength: number): Parse<string> => raw =>
  raw.length <= maxLength && !/\p{Cc}/u.test(raw) ? { value: raw } : { fault: `must be at most ${maxLength} characters on one line` }

export const integer = (min: number, max: number): Parse<number> => raw => {
  const value = Number(raw)
  return /^\d{1,10}$/.test(raw) && value >= min && value <= max ? { value } : { fault: `must be a whole number from ${min} to ${max}` }
}

/** A number of processes; `auto` is one a core. */
export const processes: Parse<number> = raw => {
  const result = integer(1, 256)(raw === 'auto' ? String(availableParallelism()) : raw)
  return 'fault' in result ? { fault: `${result.fault}, or auto` } : result
}

export const boolean: Parse<boolean> = raw =>
  raw === 'true' ? { value: true } : raw === 'false' ? { value: false } : { fault: 'must be true or false' }

export const oneOf = <const V extends string>(...allowed: V[]): Parse<V> => raw =>
  (allowed as string[]).includes(raw) ? { value: raw as V } : { fault: `must be one of ${allowed.join(', ')}` }

export const list = <T>(parse: Parse<T>): Parse<T[]> => raw => {
  const results = raw.split(',').map(item => item.trim()).filter(item => item !== '').map(parse)
  const bad = results.find(result => 'fault' in result)
  return bad ?? { value: results.flatMap(result => 'value' in result ? [result.value] : []) }
}

/** Scheme, host and port, exactly as a browser writes them in `Origin`. */
export const origin: Parse<string> = raw => {
  try {
    const url = new URL(raw)
    if (/^https?:$/.test(url.protocol) && url.origin === raw && !raw.includes('*')) return { value: raw }
  } catch {}
  return { fault: 'must hold origins such as https://app.example.com, with nothing after the host and port' }
}

/** An address, a CIDR range, or one of the names that proxy-addr knows. */
export const addressRange: Parse<string> = raw => {
  const [address = '', prefix, ...more] = raw.split('/')
  const bits = isIP(address) === 4 ? 32 : 128
  const inRange = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) >= 1 && Number(prefix) <= bits)
  return ['loopback', 'linklocal', 'uniquelocal'].includes(raw) || (isIP(address) > 0 && inRange && more.length === 0)
    ? { value: raw }
    : { fault: 'must hold IP addresses or ranges such as 10.0.0.0/8' }
}

/** An issuer is compared character by character (RFC 8414 §2), so no trailing slash, query or fragment. */
export const publicUrl: Parse<string> = raw => {
  try {
    const url = new URL(raw)
    if (/^https?:$/.test(url.protocol) && !url.search && !url.hash && !url.username && !raw.endsWith('/') && url.href.replace(/\/$/, '') === raw) return { value: raw }
  } catch {}
  return { fault: 'must be an http(s) URL without a trailing slash' }
}

/** Where a node of the service is reached, with or without credentials of a client: both may be in it, so no fault shows it. */
export const upstreamUrl: Parse<string> = raw => {
  try {
    const url = new URL(raw)
    decodeURIComponent(url.username + url.password)
    if (/^https?:$/.test(url.protocol) && !url.search && !url.hash && !raw.endsWith('/') && (url.username === '') === (url.password === '')) return { value: raw }
  } catch {}
  return { fault: 'must be a URL such as https://auth.example.com or https://client_id:client_secret@auth.example.com, without a trailing slash' }
}

export const postgresUrl: Parse<string> = raw => {
  try {
    if (/^postgres(ql)?:$/.test(new URL(raw).protocol)) return { value: raw }
  } catch {}
  return { fault: 'must be a URL such as postgresql://user:password@host:5432/database' }
}

/** Where mail goes: an SMTP server, with or without credentials and TLS, or `console:`. No fault shows it. */
export const mailUrl: Parse<string> = raw => {
  if (raw === 'console:') return { value: raw }
  try {
    const url = new URL(raw)
    if (/^smtps?:$/.test(url.protocol) && url.hostname !== '' && !url.hash) return { value: raw }
  } catch {}
  return { fault: 'must be a URL such as smtp://user:password@mail.example.com:587 or smtps://…, or console:' }
}

export const redisUrl: Parse<string> = raw => {
  try {
    if (/^rediss?:$/.test(new URL(raw).protocol)) return { value: raw }
  } catch {}
  return { fault: 'must be a URL such as redis://user:password@host:6379' }
}

/** `Name <address>` or an address, on one line. */
export const mailbox: Parse<string> = raw =>
  raw.length <= 320 && /^(?:[^<>\p{Cc}]+ <[^<>@\s]+@[^<>@\s]+>|[^<>@\s]+@[^<>@\s]+)$/u.test(raw) ? { value: raw } : { fault: 'must be an address, or a name and an address: Example <no-reply@example.com>' }

export type KeyEncryptionKeys = ReadonlyMap<string, Buffer>

/** Every fault here is one that lets somebody read signing keys: a short, guessable or published key refuses to start. */
export const keyEncryptionKeys: Parse<KeyEncryptionKeys> = raw => {
  const keys = new Map<string, Buffer>()
  for (const entry of raw.split(',')) {
    const match = /^([A-Za-z0-9_-]{1,32}):([A-Za-z0-9+/_-]{43}=?)$/.exec(entry.trim())
    const key = match && Buffer.from(match[2]!, 'base64')
    if (!match || key?.length !== 32) return { fault: 'must be id:base64[,id:base64] with 32 bytes each (`openssl rand -base64 32`)' }
    if (new Set(key).size < 16 || key.every(byte => byte >= 0x20 && byte < 0x7f)) return { fault: `has a key ("${match[1]}") that is not random` }
    if (keys.has(match[1]!)) return { fault: `names "${match[1]}" twice` }
    keys.set(match[1]!, key)
  }
  return { value: keys }
}
