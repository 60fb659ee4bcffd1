import { retryConflicts, type Db } from '../../db/client.ts'
import { revocationId } from '../../lib/digest.ts'
import { retention } from '../revocations/store.ts'

export type User = {
  id: string, email: string, emailVerified: boolean, name: string | null, active: boolean
  epoch: number, roles: string[], createdAt: Date
}

/** What sign-in needs, from one read: the tokens carry these values and never re-read them after hashing. */
export type SignInRecord = User & { passwordHash: string | null, now: number }

type Row = {
  id: string, email: string, email_verified: boolean, name: string | null, status: number, epoch: number, roles: string[], created_at: Date
}

/** One statement: the user, the credential and the database's time. */
export async function findForSignIn (db: Db, email: string): Promise<SignInRecord | null> {
  const [row] = await db.$queryRaw<(Row & { password_hash: string | null, now: number })[]>`
    SELECT u.id::text, u.email, u.email_verified_at IS NOT NULL AS email_verified, u.name, u.status::int, u.epoch, u.roles, u.created_at,
      c.password_hash, extract(epoch FROM now())::float8 AS now
    FROM users u LEFT JOIN credential c ON c.user_id = u.id WHERE u.email = ${email}::text`
  return row ? { ...toUser(row), passwordHash: row.password_hash, now: row.now } : null
}

export async function findUser (db: Db, id: string): Promise<User | null> {
  const user = await db.user.findUnique({ where: { id } })
  return user && toUser({ ...user, email_verified: user.email_verified_at !== null })
}

/**
 * User and credential in one statement, so that neither can exist without the other. Where the address is taken its row is written
 * as it was: a commit takes its time, and whether there was one must not tell.
 * @returns null when the address has an account; nothing is changed then
 */
export async function createUser (db: Db, user: { id: string, email: string, name: string | null, passwordHash: string }): Promise<User | null> {
  const [row] = await db.$queryRaw<Row[]>`
    WITH w AS (INSERT INTO users (id, email, name) VALUES (${user.id}::uuid, ${user.email}::text, ${user.name}::text)
      ON CONFLICT (email) DO UPDATE SET email = users.email RETURNING id, email, email_verified_at, name, status, epoch, roles, created_at),
    u AS (SELECT * FROM w WHERE id = ${user.id}::uuid),
    c AS (INSERT INTO credential (user_id, password_hash) SELECT id, ${user.passwordHash}::text FROM u)
    SELECT id::text, email, email_verified_at IS NOT NULL AS email_verified, name, status::int, epoch, roles, created_at FROM u`
  return row ? toUser(row) : null
}

/** Compare-and-swap: a password changed during the hash is not put back. */
export async function replaceHash (db: Db, userId: string, { from, to }: { from: string, to: string }): Promise<void> {
  await db.$executeRaw`UPDATE credential SET password_hash = ${to}::text WHERE user_id = ${userId}::uuid AND password_hash = ${from}::text`
}

/**
 * R4: ends every session of a user and tells the feed, in one statement: tokens carry the epoch, and a higher one refuses them.
 * @param disable also closes the account to sign-in
 * @returns the new epoch, or null when there is no such user
 */
export async function endSessionsOf (db: Db, userId: string, { disable = false } = {}): Promise<number | null> {
  const [row] = await retryConflicts(() => db.$queryRaw<{ val: number }[]>`
    WITH u AS (UPDATE users SET epoch = epoch + 1, status = CASE WHEN ${disable}::bool THEN 2 ELSE status END, updated_at = now()
      WHERE id = ${userId}::uuid RETURNING epoch)
    INSERT INTO revocation (kind, id, val, expires_at)
    SELECT 'u', ${revocationId('u', userId)}::bytea, u.epoch, now() + ${retention} FROM u RETURNING val`)
  return row?.val ?? null
}

const toUser = (row: Row): User => ({
  id: row.id,
  email: row.email,
  emailVerified: row.email_verified,
  name: row.name,
  active: row.status === 1,
  epoch: row.epoch,
  roles: row.roles,
  createdAt: row.created_at,
})
