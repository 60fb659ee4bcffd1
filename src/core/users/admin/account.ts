import { hash } from 'node:crypto'

/** An account as administrators see it: never a password, nor whether a guess was near. */
export type Account = {
  id: string, email: string, emailVerified: boolean, name: string | null, active: boolean
  roles: string[], claims: Record<string, unknown>, locale: string | null
  hasPassword: boolean, epoch: number, createdAt: Date, updatedAt: Date
  /** Changes with every change of the row. */
  etag: string
}

export type AccountRow = {
  id: string, email: string, email_verified: boolean, name: string | null, status: number
  roles: string[], claims: Record<string, unknown>, locale: string | null
  has_password: boolean, epoch: number, created_at: Date, updated_at: Date
  /** Microseconds, as text. */
  version: string
}

export const toAccount = (row: AccountRow): Account => ({
  id: row.id,
  email: row.email,
  emailVerified: row.email_verified,
  name: row.name,
  active: row.status === 1,
  roles: row.roles,
  claims: row.claims,
  locale: row.locale,
  hasPassword: row.has_password,
  epoch: row.epoch,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  // Not the time alone: two changes may share a microsecond, and not everything that changes a row sets it.
  etag: `"${hash('sha256', JSON.stringify(row), 'base64url').slice(0, 22)}"`,
})
