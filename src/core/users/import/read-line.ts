import { AppError } from '../../../errors.ts'
import { canonicalEmail } from '../../../lib/email-address.ts'
import { isUuid } from '../../../lib/ids.ts'
import { isObject, jsonFault } from '../../../lib/plain-json.ts'
import { storedForm } from '../../passwords/foreign/foreign.ts'
import type { GivenHash } from '../../passwords/foreign/form.ts'
import { requireClaims, requireClaimsFit, requireRoles } from '../claims.ts'
import { idOf, type ImportedUser } from './imported-user.ts'
import type { Line } from './lines.ts'

type Settings = Parameters<typeof requireClaimsFit>[0]['config']

export type RefusalCode = 'line_too_long' | 'not_utf8' | 'not_json' | 'unknown_member' | 'invalid_member' | 'claims_too_large'
  | 'unknown_hash' | 'invalid_hash' | 'hash_too_costly' | 'email_taken' | 'id_taken'

/** Why a line was left out. The message says what is wrong by name, and never what the line has there: reports are passed around. */
export class Refusal extends Error {
  readonly code: RefusalCode
  constructor (code: RefusalCode, message: string) {
    super(message)
    this.code = code
  }
}

const MEMBERS = new Set(['id', 'email', 'email_verified', 'name', 'status', 'roles', 'claims', 'locale', 'profile', 'created_at', 'password_hash', 'password'])
const MAX_NAME_CHARACTERS = 200
// As PATCH /v1/me has them.
const MAX_PROFILE_BYTES = 4_096
const MAX_PROFILE_DEPTH = 6
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d{1,6}))?(?:Z|[+-]\d\d:\d\d)$/
const HASHES = {
  invalid_hash: 'the password hash is not in the form of its algorithm',
  unknown_hash: 'the password hash is of no algorithm that is accepted',
  hash_too_costly: 'the password hash would take too long to verify, or too much memory',
} as const

const locales = new Map<string, string>()
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** @param now milliseconds: nothing was made later. @returns null for a blank line. @throws Refusal */
export function readLine ({ bytes }: Line, { config, now }: { config: Settings, now: number }): ImportedUser | null {
  if (bytes === null) throw new Refusal('line_too_long', 'the line is longer than 64 KiB')
  let text: string
  try { text = utf8.decode(bytes) } catch { throw new Refusal('not_utf8', 'the line is not UTF-8') }
  if (text.trim() === '') return null
  let value: unknown
  // What the parser says has pieces of the line in it. Nested deeper than it can go is a RangeError, and no account either.
  try { value = JSON.parse(text) } catch { throw new Refusal('not_json', 'the line is not JSON') }
  if (!isObject(value)) throw new Refusal('not_json', 'the line is not a JSON object')
  const given = value
  if (Object.keys(given).some(name => !MEMBERS.has(name))) throw new Refusal('unknown_member', `the line has a member that is none of ${[...MEMBERS].join(', ')}`)
  const facts = readFacts(given, now)
  if (facts.roles.length > 0 || Object.keys(facts.claims).length > 0) inOurWords(() => requireClaimsFit({ config }, facts as Parameters<typeof requireClaimsFit>[1]))
  if (given['id'] !== undefined && !isUuid(given['id'])) throw invalid('id', 'must be a UUID in lower case')
  return { id: given['id'] ?? idOf(facts), ...facts }
}

function readFacts (given: Readonly<Record<string, unknown>>, now: number): Omit<ImportedUser, 'id'> {
  const { email, status = 'active', email_verified: verified = false, created_at: createdAt } = given
  const canonical = typeof email === 'string' ? canonicalEmail(email) : null
  if (canonical === null) throw invalid('email', 'must be an e-mail address')
  if (status !== 'active' && status !== 'disabled') throw invalid('status', 'must be "active" or "disabled"')
  const roles = given['roles'] ?? []
  if (!Array.isArray(roles) || roles.length > 100) throw invalid('roles', 'must be a list of at most 100 roles')
  return {
    email: canonical,
    verified: verified !== false,
    email_verified_at: typeof verified === 'boolean' ? null : time('email_verified', verified, now),
    name: readName(given['name'] ?? null),
    status: status === 'active' ? 1 : 2,
    roles: inOurWords(() => requireRoles(roles)),
    claims: inOurWords(() => requireClaims(given['claims'] ?? {})),
    locale: readLocale(given['locale'] ?? null),
    profile: readProfile(given['profile'] ?? {}),
    created_at: createdAt === undefined ? null : time('created_at', createdAt, now),
    password_hash: readPassword(given['password_hash'] ?? undefined, given['password'] ?? undefined),
  }
}

function readName (name: unknown): string | null {
  if (name === null) return null
  if (typeof name !== 'string' || name === '' || name.length > 2 * MAX_NAME_CHARACTERS || [...name].length > MAX_NAME_CHARACTERS) throw invalid('name', `must be a text of 1 to ${MAX_NAME_CHARACTERS} characters`)
  const fault = jsonFault(name, 1)
  if (fault !== null) throw invalid('name', fault)
  return name
}

function readLocale (locale: unknown): string | null {
  if (locale === null) return null
  // A file has few languages and many lines, and each look-up takes as long as the rest of a line.
  const known = typeof locale === 'string' ? locales.get(locale) : undefined
  if (known !== undefined) return known
  try {
    if (typeof locale === 'string' && locale.length <= 35) {
      const canonical = Intl.getCanonicalLocales(locale)[0]!
      if (locales.size < 1_000) locales.set(locale, canonical)
      return canonical
    }
  } catch {}
  throw invalid('locale', 'must be a language tag (BCP 47)')
}

function readProfile (profile: unknown): Record<string, unknown> {
  if (!isObject(profile)) throw invalid('profile', 'must be an object')
  if (jsonFault(profile, MAX_PROFILE_DEPTH) !== null) throw invalid('profile', 'is nested too deeply, or has a NUL, half a surrogate pair, a number that is too large or a name of prototypes')
  if (Buffer.byteLength(JSON.stringify(profile)) > MAX_PROFILE_BYTES) throw invalid('profile', `must have at most ${MAX_PROFILE_BYTES} bytes`)
  return profile
}

function readPassword (text: unknown, parts: unknown): string | null {
  if (text === undefined && parts === undefined) return null
  if (text !== undefined && parts !== undefined) throw invalid('password', 'must not stand beside password_hash')
  if (text !== undefined && typeof text !== 'string') throw invalid('password_hash', 'must be a text')
  if (parts !== undefined && !isObject(parts)) throw invalid('password', 'must be an object: a hash and its parameters, never a password')
  const form = storedForm((text ?? parts) as GivenHash)
  if ('refused' in form) throw new Refusal(form.refused, HASHES[form.refused])
  return form.stored
}

/** PostgreSQL keeps microseconds, a Date milliseconds; the database sees only what both understand. */
function time (member: string, value: unknown, now: number): string {
  const match = typeof value === 'string' ? TIME.exec(value) : null
  const ms = match ? Date.parse(match[0]) : Number.NaN
  if (!(ms >= 0 && ms <= now + 86_400_000)) throw invalid(member, `must be a time of RFC 3339 between 1970 and now${member === 'created_at' ? '' : ', true or false'}`)
  return `${new Date(ms).toISOString().slice(0, -1)}${(match![1] ?? '').slice(3).padEnd(3, '0')}Z`
}

/** What the rules of the service refuse, as a refused line. */
function inOurWords<T> (rule: () => T): T {
  try { return rule() } catch (error) {
    if (!(error instanceof AppError)) throw error
    const [fault] = error.extra.errors ?? []
    throw fault ? invalid(fault.pointer.split('/')[1]!, fault.message) : new Refusal(error.code as RefusalCode, error.message)
  }
}

const invalid = (member: string, fault: string): Refusal => new Refusal('invalid_member', `${member} ${fault}`)
