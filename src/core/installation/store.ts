import type { Db } from '../../db/client.ts'
import { StartError } from '../../errors.ts'

export type Installation = {
  id: string
  /** The longest access token, and the longest session, that this installation may ever have issued. */
  maxAccessTokenSeconds: number
  maxSessionSeconds: number
}

/**
 * Reads the installation and raises its marks of the largest lifetimes ever in force. Revocations and spent refresh
 * tokens must outlive every token that any node has issued, also one whose configuration has been changed since.
 * @throws StartError when slots have another length here; nothing is raised then
 */
export async function enterInstallation (
  { db }: { db: Db },
  config: { keySlotSeconds: number, accessTokenTtlSeconds: number, sessionMaxSeconds: number }
): Promise<Installation> {
  const [row] = await db.$queryRaw<{ id: string, access: number, session: number }[]>`
    UPDATE installation SET
      key_slot_seconds = coalesce(key_slot_seconds, ${config.keySlotSeconds}::int),
      max_access_token_seconds = greatest(max_access_token_seconds, ${config.accessTokenTtlSeconds}::int),
      max_session_seconds = greatest(max_session_seconds, ${config.sessionMaxSeconds}::int)
    WHERE coalesce(key_slot_seconds, ${config.keySlotSeconds}::int) = ${config.keySlotSeconds}::int
    RETURNING id::text, max_access_token_seconds AS access, max_session_seconds AS session`
  if (row) return { id: row.id, maxAccessTokenSeconds: row.access, maxSessionSeconds: row.session }
  const [other] = await db.$queryRaw<{ slot: number }[]>`SELECT key_slot_seconds AS slot FROM installation`
  throw new StartError(`KEY_SLOT_SECONDS is ${config.keySlotSeconds}, but this installation was started with ${other?.slot}; it cannot change.`)
}
