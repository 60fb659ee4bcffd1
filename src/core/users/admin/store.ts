import type { Db } from '../../../db/client.ts'
import { Prisma } from '../../../db/generated/client.ts'
import { isDuplicate } from '../../../db/faults.ts'
import { AppError } from '../../../errors.ts'
import { revocationId } from '../../../lib/digest.ts'
import { retention } from '../../revocations/store.ts'
import { toAccount, type Account, type AccountRow } from './account.ts'

/** Of `users u`. */
const columns = Prisma.sql`u.id::text, u.email, u.email_verified_at IS NOT NULL AS email_verified, u.name, u.status::int, u.roles, u.claims, u.locale,
  EXISTS (SELECT 1 FROM credential c WHERE c.user_id = u.id) AS has_password, u.epoch, u.created_at, u.updated_at,
  extract(epoch FROM u.updated_at)::text || '/' || coalesce(extract(epoch FROM u.email_verified_at)::text, '') AS version`

export async function findAccount (db: Db, id: string): Promise<Account | null> {
  const [row] = await db.$queryRaw<AccountRow[]>`SELECT ${columns} FROM users u WHERE u.id = ${id}::uuid`
  return row ? toAccount(row) : null
}

/** Held until the transaction ends; those that are there, in one order, so that two transactions never wait for each other. */
export async function lockAccounts (db: Db, ids: readonly string[]): Promise<Account[]> {
  const rows = await db.$queryRaw<AccountRow[]>`SELECT ${columns} FROM users u WHERE u.id = ANY(${[...ids]}::uuid[]) ORDER BY u.id FOR UPDATE OF u`
  return rows.map(toAccount)
}

export type NewAccount = {
  id: string, email: string, emailVerified: boolean, name: string | null
  roles: readonly string[], claims: Record<string, unknown>, locale: string | null
}

/**
 * Without a password: its owner sets one by a link.
 * @param reborn an account with this id may have been deleted before: its epoch begins above all that its tokens can carry, or they would live again
 * @returns null when the id or the address is taken; nothing is written then
 */
export async function insertAccount (db: Db, account: NewAccount, { reborn = false } = {}): Promise<Account | null> {
  const { id, email, emailVerified, name, roles, claims, locale } = account
  const [row] = await db.$queryRaw<AccountRow[]>`
    WITH u AS (INSERT INTO users (id, email, email_verified_at, name, roles, claims, locale, epoch)
      VALUES (${id}::uuid, ${email}::text, CASE WHEN ${emailVerified}::bool THEN now() END, ${name}::text, ${[...roles]}::text[], ${JSON.stringify(claims)}::jsonb, ${locale}::text,
        CASE WHEN ${reborn}::bool THEN (extract(epoch FROM now()) - 1577836800)::int ELSE 1 END)
      ON CONFLICT DO NOTHING RETURNING *)
    SELECT ${columns} FROM u`
  return row ? toAccount(row) : null
}

/** What is to be as given; what is left out stays. */
export type Changes = {
  email?: string | undefined, emailVerified?: boolean | undefined, name?: string | null | undefined, locale?: string | null | undefined
  roles?: readonly string[] | undefined, claims?: Record<string, unknown> | undefined, active?: boolean | undefined
}

/**
 * One statement, and where `endSessions` the epoch and the feed with it.
 * @returns the account as it is now; null when there is none
 * @throws email_taken when the address belongs to another; a transaction around it is lost with that
 */
export async function updateAccount (db: Db, id: string, changes: Changes, { endSessions }: { endSessions: boolean }): Promise<Account | null> {
  const { email, emailVerified, name, locale, roles, claims, active } = changes
  const sets = [
    ...email === undefined ? [] : [Prisma.sql`email = ${email}::text`],
    ...emailVerified === undefined ? [] : [Prisma.sql`email_verified_at = CASE WHEN ${emailVerified}::bool THEN now() END`],
    ...name === undefined ? [] : [Prisma.sql`name = ${name}::text`],
    ...locale === undefined ? [] : [Prisma.sql`locale = ${locale}::text`],
    ...roles === undefined ? [] : [Prisma.sql`roles = ${[...roles]}::text[]`],
    ...claims === undefined ? [] : [Prisma.sql`claims = ${JSON.stringify(claims)}::jsonb`],
    ...active === undefined ? [] : [Prisma.sql`status = ${active ? 1 : 2}::smallint`],
  ]
  try {
    const [row] = await db.$queryRaw<AccountRow[]>`
      WITH u AS (UPDATE users SET ${Prisma.join([...sets, Prisma.sql`epoch = epoch + ${endSessions}::bool::int`, Prisma.sql`updated_at = now()`])} WHERE id = ${id}::uuid RETURNING *),
      r AS (INSERT INTO revocation (kind, id, val, expires_at)
        SELECT 'u', ${revocationId('u', id)}::bytea, u.epoch, now() + ${retention} FROM u WHERE ${endSessions}::bool)
      SELECT ${columns} FROM u`
    return row ? toAccount(row) : null
  } catch (cause) { throw isDuplicate(cause) ? new AppError('email_taken', { cause }) : cause }
}

export type Filters = { email?: string | undefined, emailPrefix?: string | undefined, active?: boolean | undefined, verified?: boolean | undefined, role?: string | undefined }

/**
 * At most `limit` accounts after the position, newest id first; with a prefix in the order of addresses, because only in that order do
 * they stand together. Every page is a walk along an index from the position on, whatever came before it.
 */
export async function listAccounts (db: Db, { email, emailPrefix, active, verified, role }: Filters, { after, limit }: { after: string | undefined, limit: number }): Promise<Account[]> {
  const statuses = active === undefined ? [1, 2] : [active ? 1 : 2]
  const unverified = verified === undefined ? [true, false] : [!verified]
  const conditions = [
    Prisma.sql`true`,
    ...email === undefined ? [] : [Prisma.sql`u.email = ${email}::text`],
    // "{" comes after every character of an address.
    ...emailPrefix === undefined ? [] : [Prisma.sql`u.email >= ${emailPrefix}::text AND u.email < ${`${emailPrefix}\u{7f}`}::text`],
    ...role === undefined ? [] : [Prisma.sql`u.roles <> '{}' AND u.roles @> ARRAY[${role}]::text[]`],
    ...after === undefined ? [] : [emailPrefix === undefined ? Prisma.sql`u.id < ${after}::uuid` : Prisma.sql`u.email > ${after}::text`],
  ]
  const order = emailPrefix === undefined ? Prisma.sql`u.id DESC` : Prisma.sql`u.email`
  const one = (more: Prisma.Sql) => Prisma.sql`(SELECT u.* FROM users u WHERE ${Prisma.join([...conditions, more], ' AND ')} ORDER BY ${order} LIMIT ${limit}::int)`
  const byState = statuses.flatMap(status => unverified.map(none => one(Prisma.sql`u.status = ${status}::smallint AND (u.email_verified_at IS NULL) = ${none}::bool`)))
  // The index of states is no help in the order of addresses or among the holders of a role, and nothing is to be merged without it.
  const merged = email === undefined && emailPrefix === undefined && role === undefined && byState.length < 4
  const source = merged ? Prisma.join(byState, ' UNION ALL ') : one(Prisma.sql`u.status = ANY(${statuses}::smallint[]) AND (u.email_verified_at IS NULL) = ANY(${unverified}::bool[])`)
  const rows = await db.$queryRaw<AccountRow[]>`SELECT ${columns} FROM (${source}) u ORDER BY ${order} LIMIT ${limit}::int`
  return rows.map(toAccount)
}
