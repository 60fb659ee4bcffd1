import { createHmac, randomUUID } from 'node:crypto'
import { createSigner, createVerifier } from 'fast-jwt'
import type { Clock } from '../../lib/clock.ts'
import { isUuid } from '../../lib/ids.ts'
import { deriveKey } from '../keys/derive.ts'
import { DEVICE_SECONDS } from '../keys/schedule.ts'
import type { Key, Keyring } from '../keys/keyring.ts'
import { parseCompact } from './compact.ts'

const TYP = 'dc+jwt'
type Claims = { sub: string, jti: string, pf: string, iat: number }
type Keys = { sign: (claims: Claims) => string, verify: (token: string) => unknown }
type Account = { id: string, passwordHash: string }

const derived = new WeakMap<Key, Keys>()
function keysOf (key: Key): Keys {
  const known = derived.get(key)
  if (known) return known
  const secret = deriveKey(key, 'device')
  const keys: Keys = {
    sign: createSigner({ key: secret, algorithm: 'HS256', kid: key.kid, header: { alg: 'HS256', typ: TYP, kid: key.kid } }) as Keys['sign'],
    verify: createVerifier({ key: secret, algorithms: ['HS256'], checkTyp: TYP, cache: false, ignoreExpiration: true }) as Keys['verify'],
  }
  derived.set(key, keys)
  return keys
}

/** Ties it to the password: keyed, because it would otherwise be a fast hash of a hash, in the hands of a browser. */
const fingerprint = (key: Key, { passwordHash }: Account): string =>
  createHmac('sha256', deriveKey(key, 'device/mac')).update(passwordHash).digest().subarray(0, 16).toString('base64url')

/**
 * "The owner of this account has signed in here", for guesses at its password to be counted apart from those of strangers (OWASP: device cookies). It
 * signs nobody in. A browser keeps its name (`jti`) when it signs in again.
 */
export function issueDeviceToken ({ keyring }: { keyring: Keyring }, account: Account, device: string | null, now: number): { token: string, maxAge: number } {
  const key = keyring.signingKey('ft', now)
  const claims = { sub: account.id, jti: device ?? randomUUID(), pf: fingerprint(key, account), iat: Math.floor(now) }
  return { token: keysOf(key).sign(claims), maxAge: DEVICE_SECONDS }
}

/** The name of the browser, or null: it is a stranger, whatever is wrong with its token (another account, an older password, a year old, forged). */
export async function readDevice ({ keyring, clock }: { keyring: Keyring, clock: Clock }, account: Account, token: string | undefined): Promise<string | null> {
  const header = token === undefined ? null : parseCompact(token)
  if (header?.alg !== 'HS256' || header.typ !== TYP) return null
  const { key } = await keyring.findFresh('ft', header.kid)
  if (!key) return null
  try {
    const { sub, jti, pf, iat } = keysOf(key).verify(token!) as Record<string, unknown>
    const young = typeof iat === 'number' && iat + DEVICE_SECONDS > clock.now() / 1000
    return young && sub === account.id && pf === fingerprint(key, account) && isUuid(jti) ? jti : null
  } catch { return null }
}
