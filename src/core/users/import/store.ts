import type { Db } from '../../../db/client.ts'
import { Prisma } from '../../../db/generated/client.ts'
import type { ImportedUser } from './imported-user.ts'

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
