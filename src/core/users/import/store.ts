import { retryConflicts, type Db } from '../../../db/client.ts'
import { Prisma } from '../../../db/generated/client.ts'
import type { Clock } from '../../../lib/clock.ts'
import { recordEventOfEach } from '../../audit/store.ts'
import type { ImportedUser } from './imported-user.ts'

/**
 * Accounts from elsewhere with all that belongs to each, in one statement: the first with an id or an address has it, and who has it
 * already keeps it as it is. No two may share an id. An account with this id may have been deleted here before: the epoch begins above all
 * that its tokens can carry, or they would live again.
 * @returns the ids of those that were written
 */
export async function insertUsers ({ db, clock }: { db: Db, clock: Clock }, users: readonly ImportedUser[]): Promise<Set<string>> {
  const rows = await retryConflicts(() => db.$queryRaw<{ id: string }[]>`
    WITH input AS MATERIALIZED (SELECT * FROM json_to_recordset(${JSON.stringify(users)}::json) AS t(id uuid, email text, verified bool, email_verified_at timestamptz,
      name text, status smallint, roles text[], claims jsonb, locale text, profile jsonb, created_at timestamptz, password_hash text)),
    u AS (INSERT INTO users (id, email, email_verified_at, name, status, epoch, roles, claims, locale, profile, created_at)
      SELECT id, email, CASE WHEN verified THEN coalesce(email_verified_at, created_at, now()) END, name, status, (extract(epoch FROM now()) - 1577836800)::int, roles, claims, locale, profile, coalesce(created_at, now())
      FROM input ON CONFLICT DO NOTHING RETURNING id),
    c AS (INSERT INTO credential (user_id, password_hash) SELECT id, password_hash FROM input JOIN u USING (id) WHERE password_hash IS NOT NULL),
    a AS (${recordEventOfEach({ type: 'account.created', actor: 'cli', data: { imported: true } }, clock, users.length, Prisma.sql`SELECT id FROM u`)})
    SELECT id::text FROM u`)
  return new Set(rows.map(({ id }) => id))
}

/** Accounts that have the id or the address of one of these. */
export const findSame = async (db: Db, users: readonly { id: string, email: string }[]): Promise<{ id: string, email: string }[]> => await db.$queryRaw`
  SELECT id::text, email FROM users WHERE id = ANY(${users.map(({ id }) => id)}::uuid[]) OR email = ANY(${users.map(({ email }) => email)}::text[])`

export type ExportedUser = Omit<ImportedUser, 'verified' | 'created_at'> & { created_at: string }

/** A page of all accounts in the order of their ids. Times as text: a Date has no microseconds. */
export const exportUsers = async (db: Db, { after, limit, withHashes }: { after: string | null, limit: number, withHashes: boolean }): Promise<ExportedUser[]> => await db.$queryRaw`
  SELECT u.id::text, u.email, to_char(u.email_verified_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS email_verified_at, u.name, u.status::int, u.roles, u.claims, u.locale, u.profile,
    to_char(u.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at, c.password_hash
  FROM users u LEFT JOIN credential c ON ${withHashes}::bool AND c.user_id = u.id
  ${after === null ? Prisma.empty : Prisma.sql`WHERE u.id > ${after}::uuid`} ORDER BY u.id LIMIT ${limit}::int`
