import { createHash, createHmac, hkdfSync, randomUUID } from 'node:crypto'
import { createSigner, createVerifier } from 'fast-jwt'
import { AppError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'
import { isUuid } from '../../lib/ids.ts'
import { seal, unseal } from '../../lib/seal.ts'
import type { Key, Keyring } from '../keys/keyring.ts'
import { parseCompact } from './compact.ts'

const isString = (value: unknown): boolean => typeof value === 'string'

/** What each kind of link carries beside `sub`, how long it lives, and the one endpoint that takes it. */
const kinds = {
  /** Confirms an address: `em` is what is left of it, base64url. */
  ev: { path: '/v1/email-verification/confirm', ttlSeconds: 86_400, sealed: false, members: { em: isString } },
  /** Sets a new password: `pf` is bound to the old one, the epoch and the address, base64url. */
  pr: { path: '/v1/password-reset/confirm', ttlSeconds: 1_800, sealed: false, members: { pf: isString } },
  /** Changes the address: `old` and `new` are sealed, because links end up in logs. */
  ec: { path: '/v1/email-change/confirm', ttlSeconds: 3_600, sealed: true, members: { old: isString, new: isString, ver: Number.isInteger } },
} as const

/** How long a link of each kind works. */
export const actionTtlSeconds = { ev: kinds.ev.ttlSeconds, pr: kinds.pr.ttlSeconds, ec: kinds.ec.ttlSeconds } as const

export type ActionClaims = {
  ev: { sub: string, em: string }
  pr: { sub: string, pf: string }
  ec: { sub: string, old: string, new: string, ver: number }
}
type ActionKind = keyof ActionClaims

type Issuer = { publicUrl: string }
type Keys = { sign: (claims: object) => string, verify: (token: string) => unknown, box: Buffer, mac: Buffer }

/** One key a purpose (HKDF, RFC 5869): a token of one kind is noise to the others, whatever its `typ` says. */
const derived = new WeakMap<Key, Map<ActionKind, Keys>>()
function keysOf (key: Key, kind: ActionKind): Keys {
  const known = derived.get(key)?.get(kind)
  if (known) return known
  const derive = (info: string) => Buffer.from(hkdfSync('sha256', key.secret, '', info, 32))
  const [signing, typ] = [derive(`flow/${kind}`), `${kind}+jwt`]
  const keys: Keys = {
    sign: createSigner({ key: signing, algorithm: 'HS256', kid: key.kid, header: { alg: 'HS256', typ, kid: key.kid } }) as (claims: object) => string,
    verify: createVerifier({ key: signing, algorithms: ['HS256'], checkTyp: typ, cache: false, ignoreExpiration: true, ignoreNotBefore: true }) as (token: string) => unknown,
    box: derive(`flow/${kind}/seal`),
    mac: derive(`flow/${kind}/mac`),
  }
  derived.set(key, (derived.get(key) ?? new Map<ActionKind, Keys>()).set(kind, keys))
  return keys
}

type Deps = { keyring: Keyring, config: Issuer }

/** `now` is the database's time, seconds, here and below. */
function issue (key: Key, { publicUrl }: Issuer, kind: ActionKind, { sub, ...rest }: ActionClaims[ActionKind], now: number): string {
  const { path, ttlSeconds, sealed } = kinds[kind]
  const { sign, box } = keysOf(key, kind)
  const iat = Math.floor(now)
  return sign({
    iss: publicUrl, aud: `${publicUrl}${path}`, sub, jti: randomUUID(), iat, exp: iat + ttlSeconds,
    ...(sealed ? { box: seal(box, Buffer.from(JSON.stringify(rest)), sub).toString('base64url') } : rest),
  })
}

/** A link that confirms the address an account has now. */
export const issueVerificationToken = ({ keyring, config }: Deps, user: { id: string, email: string }, now: number): string =>
  issue(keyring.signingKey('ft', now), config, 'ev', { sub: user.id, em: addressDigest(user.email).toString('base64url') }, now)

/** A link that sets a new password, once: it fits only the password, epoch and address the account has now. */
export function issueResetToken ({ keyring, config }: Deps, user: Resettable & { id: string }, now: number): string {
  const key = keyring.signingKey('ft', now)
  return issue(key, config, 'pr', { sub: user.id, pf: resetFingerprint(key, user) }, now)
}

/** A link that puts `new` in the place of `old`, while the epoch is `ver`. */
export const issueEmailChangeToken = ({ keyring, config }: Deps, claims: ActionClaims['ec'], now: number): string =>
  issue(keyring.signingKey('ft', now), config, 'ec', claims, now)

/** The first 16 bytes of SHA-256 of an address, as S1 of stateless.md compares it. */
export const addressDigest = (email: string): Buffer => createHash('sha256').update(email).digest().subarray(0, 16)

/** `passwordHash` is null for an account that has no password yet. */
export type Resettable = { passwordHash: string | null, epoch: number, email: string }

/** What a reset link is tied to; keyed, because it would otherwise be a fast hash of a hash. */
export const resetFingerprint = (key: Key, { passwordHash, epoch, email }: Resettable): string =>
  createHmac('sha256', keysOf(key, 'pr').mac).update(JSON.stringify([passwordHash, epoch, email])).digest().subarray(0, 16).toString('base64url')

/**
 * The salt of the password that a link sets: random to whoever lacks the key, and another for every link. So the stored hash itself says by which link it
 * was set, and a used link can be told from a stale one with nothing written down.
 */
export const resetSalt = (key: Key, jti: string) => createHmac('sha256', keysOf(key, 'pr').mac).update(`salt:${jti}`).digest().subarray(0, 16)

/**
 * Whose it is, what it carries, and the key that signed it (for `pf`). That a token verifies says only that it was mailed in time: single use is
 * the business of the statement that acts on it.
 * @throws invalid_action_token for anything else; database_unavailable when its key is unknown and could not be looked up
 */
export async function verifyActionToken<K extends ActionKind> (
  { keyring, config, clock }: { keyring: Keyring, config: Issuer, clock: Clock }, kind: K, token: string
): Promise<{ claims: ActionClaims[K], jti: string, key: Key }> {
  const header = parseCompact(token)
  if (!header || header.alg !== 'HS256' || header.typ !== `${kind}+jwt`) throw new AppError('invalid_action_token')
  const { key, fresh } = await keyring.findFresh('ft', header.kid)
  if (!key && !fresh) throw new AppError('database_unavailable', { retryAfterSeconds: 2 })
  if (!key) throw new AppError('invalid_action_token')
  try {
    const { verify, box } = keysOf(key, kind)
    const claims = verify(token) as Record<string, unknown>
    const { iss, aud, sub, exp, jti } = claims
    if (iss !== config.publicUrl || aud !== `${config.publicUrl}${kinds[kind].path}` || !isUuid(sub) || !isUuid(jti) || typeof exp !== 'number' || exp <= clock.now() / 1000) throw new Error('claims')
    const rest = kinds[kind].sealed ? JSON.parse(unseal(box, Buffer.from(String(claims['box']), 'base64url'), sub).toString()) as Record<string, unknown> : claims
    if (Object.entries(kinds[kind].members).some(([member, is]) => !is(rest[member]))) throw new Error('members')
    return { claims: { ...rest, sub } as ActionClaims[K], jti, key }
  } catch (cause) { throw new AppError('invalid_action_token', { cause }) }
}
