import { hash } from 'node:crypto'
import { formatUuid } from '../../../lib/ids.ts'

/** One account as it is written: every value in the form that its column has. */
export type ImportedUser = {
  id: string, email: string
  verified: boolean
  /** Null: since it was made, or unknown. */
  email_verified_at: string | null
  name: string | null
  status: 1 | 2
  roles: string[]
  claims: Record<string, unknown>
  locale: string | null
  profile: Record<string, unknown>
  /** Null: now. */
  created_at: string | null
  password_hash: string | null
}

/**
 * The id of an account whose line gives none: a function of what the line says, so that the same line is the same account however
 * often it is read, and another line about the same address is not. The password has no part in it: ids are public, and a quick hash
 * with a known salt could be guessed by them. A UUIDv8 (RFC 9562 §5.8), which sorts by age where the line tells it, as a UUIDv7 does.
 */
export function idOf ({ password_hash: _, ...facts }: Omit<ImportedUser, 'id'>): string {
  const bytes = hash('sha256', JSON.stringify(['stateless-auth import', facts]), 'buffer').subarray(0, 16)
  if (facts.created_at !== null) bytes.writeUIntBE(Date.parse(facts.created_at), 0, 6)
  bytes[6] = (bytes[6]! & 0x0f) | 0x80
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return formatUuid(bytes)
}
