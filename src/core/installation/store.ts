import type { Db } from '../../db/client.ts'

export type Installation = {
  id: string
  keySlotSeconds: number
  /** The longest access token that this installation may ever have issued. */
  maxAccessTokenSeconds: number
}

/**
 * Reads the installation and raises its marks of the largest lifetimes ever in force. Revocations and spent refresh
 * tokens must outlive every token that any node has issued, also one whose configuration has been changed since.
 */
export async function enterInstallation (
  { db }: { db: Db },
  config: { keySlotSeconds: number, accessTokenTtlSeconds: number, sessionMaxSeconds: number }
): Promise<Installation> {
  const [row] = await db.$queryRaw<{ id: string, slot: number, access: number }[]>`
    UPDATE installation SET
      key_slot_seconds = coalesce(key_slot_seconds, ${config.keySlotSeconds}::int),
      max_access_token_seconds = greatest(max_access_token_seconds, ${config.accessTokenTtlSeconds}::int),
      max_session_seconds = greatest(max_session_seconds, ${config.sessionMaxSeconds}::int)
    RETURNING id::text, key_slot_seconds AS slot, max_access_token_seconds AS access`
  if (!row) throw new Error('the installation row is missing')
  return { id: row.id, keySlotSeconds: row.slot, maxAccessTokenSeconds: row.access }
}
