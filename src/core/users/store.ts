import { queryDirectly, retryConflicts, type Db } from '../../db/client.ts'
import { isDuplicate } from '../../db/faults.ts'
import { Prisma } from '../../db/generated/client.ts'
import { AppError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'
import { revocationId } from '../../lib/digest.ts'
import type { AuditEvent, By } from '../audit/events.ts'
import { eventFor } from '../audit/store.ts'
import { retention } from '../revocations/store.ts'
import type { CustomClaims } from '../tokens/session-claims.ts'

export type User = {
  id: string, email: string, emailVerified: boolean, name: string | null, active: boolean
  epoch: number, roles: string[], claims: CustomClaims, createdAt: Date
  /** BCP 47. */
  locale: string | null
  /** What the user writes about themselves: in no token, and judged by nobody. */
  profile: Record<string, unknown>
}

/** What sign-in needs, from one read: the tokens carry these values and never re-read them after hashing. */
export type SignInRecord = User & { passwordHash: string | null, failures: Record<Browser, number>, now: number }

/** Who guesses: a browser that the owner has used, or a stranger's. */
export type Browser = 'known' | 'unknown'
/** NIST SP 800-63B-4 §3.2.2: at most a hundred wrong guesses in a row, whoever makes them. */
export const FAILURE_CAPS: Record<Browser, number> = { unknown: 90, known: 10 }

type Row = {
  id: string, email: string, email_verified: boolean, name: string | null, status: number, epoch: number, roles: string[], claims: CustomClaims, created_at: Date
  locale: string | null, profile: Record<string, unknown>
}

/** One statement: the user, the credential and the database's time. */
export async function findForSignIn (db: Db, email: string): Promise<SignInRecord | null> {
  return await findWithPassword(db, Prisma.sql`u.email = ${email}::text`)
}

/** The same for somebody who is signed in. */
export async function findForCheck (db: Db, id: string): Promise<SignInRecord | null> {
  return await findWithPassword(db, Prisma.sql`u.id = ${id}::uuid`)
}

async function findWithPassword (db: Db, where: Prisma.Sql): Promise<SignInRecord | null> {
  const [row] = await queryDirectly<Row & { password_hash: string | null, fail_unknown: number, fail_known: number, now: number }>(db, Prisma.sql`
    SELECT u.id::text, u.email, u.email_verified_at IS NOT NULL AS email_verified, u.name, u.status::int, u.epoch, u.roles, u.claims, u.created_at, u.locale, u.profile,
      c.password_hash, coalesce(c.fail_unknown, 0)::int AS fail_unknown, coalesce(c.fail_known, 0)::int AS fail_known, extract(epoch FROM now())::float8 AS now
    FROM users u LEFT JOIN credential c ON c.user_id = u.id WHERE ${where}`)
  return row ? { ...toUser(row), passwordHash: row.password_hash, failures: { unknown: row.fail_unknown, known: row.fail_known }, now: row.now } : null
}

/** What a mail to somebody, and a link in it, needs: as it is when it is sent. */
export type MailRecord = { id: string, email: string, emailVerified: boolean, active: boolean, epoch: number, locale: string | null, passwordHash: string | null, now: number }

/** One statement: the user, what their links are tied to, and the database's time. */
export async function findForMail (db: Db, by: { id: string } | { email: string }): Promise<MailRecord | null> {
  const which = 'id' in by ? Prisma.sql`u.id = ${by.id}::uuid` : Prisma.sql`u.email = ${by.email}::text`
  const [row] = await db.$queryRaw<(Pick<Row, 'id' | 'email' | 'email_verified' | 'status' | 'epoch'> & { locale: string | null, password_hash: string | null, now: number })[]>`
    SELECT u.id::text, u.email, u.email_verified_at IS NOT NULL AS email_verified, u.status::int, u.epoch, u.locale,
      c.password_hash, extract(epoch FROM now())::float8 AS now
    FROM users u LEFT JOIN credential c ON c.user_id = u.id WHERE ${which}`
  return row
    ? { id: row.id, email: row.email, emailVerified: row.email_verified, active: row.status === 1, epoch: row.epoch, locale: row.locale, passwordHash: row.password_hash, now: row.now }
    : null
}

export async function findUser (db: Db, id: string): Promise<User | null> {
  const user = await db.user.findUnique({ where: { id } })
  return user && toUser({ ...user, email_verified: user.email_verified_at !== null } as unknown as Row)
}

/**
 * User and credential in one statement, so that neither can exist without the other. Where the address is taken its row is written
 * as it was: a commit takes its time, and whether there was one must not tell.
 * @returns null when the address has an account; nothing is changed then
 */
export async function createUser (db: Db, user: { id: string, email: string, name: string | null, passwordHash: string }): Promise<User | null> {
  const [row] = await db.$queryRaw<Row[]>`
    WITH w AS (INSERT INTO users (id, email, name) VALUES (${user.id}::uuid, ${user.email}::text, ${user.name}::text)
      ON CONFLICT (email) DO UPDATE SET email = users.email RETURNING *),
    u AS (SELECT * FROM w WHERE id = ${user.id}::uuid),
    c AS (INSERT INTO credential (user_id, password_hash) SELECT id, ${user.passwordHash}::text FROM u)
    SELECT id::text, email, email_verified_at IS NOT NULL AS email_verified, name, status::int, epoch, roles, claims, created_at, locale, profile FROM u`
  return row ? toUser(row) : null
}

/** What a change was decided on: it happens only while all of it is still so. */
export type Seen = { id: string, email: string, epoch: number, passwordHash: string | null }
export type Changed = { epoch: number, now: number }

/**
 * S2: puts a password in the place of the one that was seen (or of none), ends every session and tells the feed, in one statement. The user's row is locked first
 * and judged as it is then, so of two that saw the same only one goes on. The failures counted against the old password are forgotten.
 * @param verified whoever sets it has read the account's mail: the address is confirmed by that
 * @returns null when anything of what was seen has changed; nothing is changed then
 */
export async function setPassword (db: Db, seen: Seen, passwordHash: string, { verified = false } = {}): Promise<Changed | null> {
  const [row] = await db.$queryRaw<Changed[]>`
    WITH u AS (SELECT id FROM users WHERE id = ${seen.id}::uuid AND status = 1 AND epoch = ${seen.epoch}::int AND email = ${seen.email}::text FOR UPDATE),
    c AS (INSERT INTO credential AS c (user_id, password_hash) SELECT id, ${passwordHash}::text FROM u
      ON CONFLICT (user_id) DO UPDATE SET password_hash = excluded.password_hash, changed_at = now(), fail_unknown = 0, fail_known = 0
        WHERE c.password_hash = ${seen.passwordHash}::text RETURNING user_id),
    w AS (UPDATE users SET epoch = epoch + 1, updated_at = now(), email_verified_at = CASE WHEN ${verified}::bool THEN coalesce(email_verified_at, now()) ELSE email_verified_at END
      FROM c WHERE users.id = c.user_id RETURNING epoch)
    INSERT INTO revocation (kind, id, val, expires_at)
    SELECT 'u', ${revocationId('u', seen.id)}::bytea, w.epoch, now() + ${retention} FROM w RETURNING val AS epoch, extract(epoch FROM now())::float8 AS now`
  return row ?? null
}

/**
 * S1: confirms the address that `digest` is left of. Confirmed already, it writes nothing.
 * @returns whether this did it; null when the account has another address now, or is gone
 */
export async function confirmEmail (db: Db, id: string, digest: Uint8Array): Promise<{ first: boolean } | null> {
  const [row] = await db.$queryRaw<{ first: boolean }[]>`
    WITH v AS (UPDATE users SET email_verified_at = now(), updated_at = now()
      WHERE id = ${id}::uuid AND email_verified_at IS NULL AND substring(sha256(convert_to(email, 'UTF8')) for 16) = ${digest}::bytea RETURNING 1)
    SELECT EXISTS (SELECT 1 FROM v) AS first FROM users WHERE id = ${id}::uuid AND substring(sha256(convert_to(email, 'UTF8')) for 16) = ${digest}::bytea`
  return row ?? null
}

/**
 * Puts a confirmed address in the place of `old`, ends every session and tells the feed, in one statement.
 * @returns null when the address or the epoch is another by now; nothing is changed then
 * @throws email_taken when somebody has the new address; a transaction around it is lost with that
 */
export async function changeEmail (db: Db, { id, epoch, old, to }: { id: string, epoch: number, old: string, to: string }): Promise<Changed | null> {
  try {
    const [row] = await db.$queryRaw<Changed[]>`
      WITH u AS (UPDATE users SET email = ${to}::text, email_verified_at = now(), epoch = epoch + 1, updated_at = now()
        WHERE id = ${id}::uuid AND status = 1 AND email = ${old}::text AND epoch = ${epoch}::int RETURNING epoch)
      INSERT INTO revocation (kind, id, val, expires_at)
      SELECT 'u', ${revocationId('u', id)}::bytea, u.epoch, now() + ${retention} FROM u RETURNING val AS epoch, extract(epoch FROM now())::float8 AS now`
    return row ?? null
  } catch (cause) { throw isDuplicate(cause) ? new AppError('email_taken', { cause }) : cause }
}

/**
 * Removes a user and the password, ends every session and tells the feed, in one statement.
 * @param epoch only while it is still this one
 * @returns what a last mail needs; null when there is no such user
 */
export async function deleteUser (db: Db, id: string, { epoch }: { epoch?: number } = {}): Promise<{ epoch: number, email: string, locale: string | null } | null> {
  const [row] = await db.$queryRaw<{ epoch: number, email: string, locale: string | null }[]>`
    WITH u AS (DELETE FROM users WHERE id = ${id}::uuid AND epoch = coalesce(${epoch ?? null}::int, epoch) RETURNING epoch + 1 AS epoch, email, locale),
    c AS (DELETE FROM credential WHERE user_id IN (SELECT ${id}::uuid FROM u)),
    r AS (INSERT INTO revocation (kind, id, val, expires_at) SELECT 'u', ${revocationId('u', id)}::bytea, u.epoch, now() + ${retention} FROM u)
    SELECT epoch, email, locale FROM u`
  return row ?? null
}

const counterOf = (browser: Browser): Prisma.Sql => Prisma.raw(`fail_${browser}`)

/** Until the transaction ends others wait here. @returns the failures so far; null when there is no such password */
export async function lockFailures (db: Db, userId: string, browser: Browser): Promise<number | null> {
  const [row] = await db.$queryRaw<{ failures: number }[]>`SELECT ${counterOf(browser)}::int AS failures FROM credential WHERE user_id = ${userId}::uuid FOR NO KEY UPDATE`
  return row?.failures ?? null
}

/**
 * A wrong guess and its event, one statement. The guess that reaches the cap is another matter: its owner is told, in one transaction with it.
 * @param last whether this is that one
 * @returns false, and nothing is written, where it is not as `last` says
 */
export async function countFailure ({ db, clock }: { db: Db, clock: Clock }, userId: string, browser: Browser, { last }: { last: boolean }, event: AuditEvent): Promise<boolean> {
  const [counter, cap] = [counterOf(browser), FAILURE_CAPS[browser]]
  return await retryConflicts(() => db.$executeRaw`
    WITH c AS (UPDATE credential SET ${counter} = least(${counter} + 1, ${cap}::int)
      WHERE user_id = ${userId}::uuid AND (${counter} = ${cap}::int - 1) = ${last}::bool RETURNING 1)
    ${eventFor(event, clock, 'c')}`) === 1
}

/**
 * A right guess counts only below the cap, judged under the lock of the row. Then the failures before it are forgotten (a counter at its cap is not: only a reset or an administrator reopens it), and a hash of another time is renewed, unless
 * the password was changed meanwhile.
 * @returns false, and nothing is written, at the cap
 */
export async function acceptGuess ({ db, clock }: { db: Db, clock: Clock }, userId: string, browser: Browser, rehash: { from: string, to: string } | null, event: AuditEvent | null): Promise<boolean> {
  const { unknown, known } = FAILURE_CAPS
  const [row] = await retryConflicts(() => queryDirectly<{ accepted: boolean }>(db, Prisma.sql`
    WITH c AS (SELECT user_id, fail_unknown, fail_known FROM credential WHERE user_id = ${userId}::uuid AND ${counterOf(browser)} < ${FAILURE_CAPS[browser]}::int FOR NO KEY UPDATE),
    r AS (UPDATE credential t SET
        fail_unknown = CASE WHEN c.fail_unknown < ${unknown}::int THEN 0 ELSE c.fail_unknown END,
        fail_known = CASE WHEN c.fail_known < ${known}::int THEN 0 ELSE c.fail_known END,
        password_hash = CASE WHEN t.password_hash = ${rehash?.from ?? null}::text THEN ${rehash?.to ?? null}::text ELSE t.password_hash END
      FROM c WHERE t.user_id = c.user_id
        AND (c.fail_unknown BETWEEN 1 AND ${unknown}::int - 1 OR c.fail_known BETWEEN 1 AND ${known}::int - 1 OR t.password_hash = ${rehash?.from ?? null}::text))
    ${event ? Prisma.sql`, a AS (${eventFor(event, clock, 'c')})` : Prisma.empty}
    SELECT EXISTS (SELECT 1 FROM c) AS accepted`))
  return row!.accepted
}

/** Every browser may try again, also where too many guesses had closed the account. Whoever does it records it. @returns false where there were none */
export async function forgetFailures (db: Db, userId: string): Promise<boolean> {
  return await db.$executeRaw`UPDATE credential SET fail_unknown = 0, fail_known = 0 WHERE user_id = ${userId}::uuid AND (fail_unknown > 0 OR fail_known > 0)` === 1
}

/**
 * R4: ends every session of a user, tells the feed and records it, in one statement: tokens carry the epoch, and a higher one refuses them.
 * @param disable also closes the account to sign-in
 * @returns the new epoch, or null when there is no such user
 */
export async function endSessionsOf ({ db, clock }: { db: Db, clock: Clock }, userId: string, by: By, { disable = false } = {}): Promise<number | null> {
  const [row] = await retryConflicts(() => db.$queryRaw<{ val: number }[]>`
    WITH u AS (UPDATE users SET epoch = epoch + 1, status = CASE WHEN ${disable}::bool THEN 2 ELSE status END, updated_at = now()
      WHERE id = ${userId}::uuid RETURNING epoch),
    a AS (${eventFor({ ...by, type: disable ? 'account.disabled' : 'sessions.ended', userId }, clock, 'u')})
    INSERT INTO revocation (kind, id, val, expires_at)
    SELECT 'u', ${revocationId('u', userId)}::bytea, u.epoch, now() + ${retention} FROM u RETURNING val`)
  return row?.val ?? null
}

export type ProfileChange = {
  /** null: none any more. */
  name?: string | null, locale?: string | null
  /** Top members to set, or with null to remove; null: all of them. */
  profile?: Readonly<Record<string, unknown>> | null
}

/**
 * Writes what is given and keeps the rest, and records it, in one statement; what changes nothing is no event. Two changes of different
 * members at once both hold.
 * @returns null when there is no active user of this epoch; `fits`: the profile would be no longer than that, as the database writes it
 */
export async function changeProfile (
  { db, clock }: { db: Db, clock: Clock }, { id, ver, maxProfileBytes }: { id: string, ver: number, maxProfileBytes: number }, { name, locale, profile }: ProfileChange, by: By
): Promise<{ user: User, fits: boolean } | null> {
  const members = Object.entries({ name, locale, profile }).flatMap(([member, value]) => value === undefined ? [] : [member])
  const given = Object.entries(profile ?? {})
  const set = Object.fromEntries(given.filter(([, value]) => value !== null))
  const removed = given.flatMap(([member, value]) => value === null ? [member] : [])
  const [row] = await retryConflicts(() => db.$queryRaw<(Row & { fits: boolean })[]>`
    WITH before AS (SELECT * FROM users WHERE id = ${id}::uuid AND status = 1 AND epoch = ${ver}::int FOR UPDATE),
    after AS (SELECT id,
      CASE WHEN ${name === undefined}::bool THEN name ELSE ${name ?? null}::text END AS name,
      CASE WHEN ${locale === undefined}::bool THEN locale ELSE ${locale ?? null}::text END AS locale,
      CASE WHEN ${profile === null}::bool THEN '{}' ELSE (profile || ${JSON.stringify(set)}::jsonb) - ${removed}::text[] END AS profile FROM before),
    u AS (UPDATE users SET name = after.name, locale = after.locale, profile = after.profile, updated_at = now() FROM after, before
      WHERE users.id = after.id AND octet_length(after.profile::text) <= ${maxProfileBytes}::int
        AND (after.name, after.locale, after.profile) IS DISTINCT FROM (before.name, before.locale, before.profile) RETURNING 1),
    a AS (${eventFor({ ...by, type: 'profile.changed', userId: id, data: { changed: members } }, clock, 'u')})
    SELECT b.id::text, b.email, b.email_verified_at IS NOT NULL AS email_verified, after.name, b.status::int, b.epoch, b.roles, b.claims, b.created_at, after.locale, after.profile,
      octet_length(after.profile::text) <= ${maxProfileBytes}::int AS fits
    FROM before b, after`)
  return row ? { user: toUser(row), fits: row.fits } : null
}

const toUser = (row: Row): User => ({
  id: row.id,
  email: row.email,
  emailVerified: row.email_verified,
  name: row.name,
  active: row.status === 1,
  epoch: row.epoch,
  roles: row.roles,
  claims: row.claims,
  createdAt: row.created_at,
  locale: row.locale,
  profile: row.profile,
})
