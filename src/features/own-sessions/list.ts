import type { Keyring } from '../../core/keys/keyring.ts'
import { pageOf, positionOf } from '../../core/lists/pages.ts'
import { listSignIns, type SignIn } from '../../core/sessions/store.ts'
import type { Db } from '../../db/client.ts'
import type { Clock } from '../../lib/clock.ts'

/** One page, newest first. @throws invalid_cursor */
export async function listOwnSessions (
  deps: { db: Db, keyring: Keyring, clock: Clock }, { sub }: { sub: string }, { cursor, limit }: { cursor?: string | undefined, limit: number }
): Promise<{ items: SignIn[], next: string | null }> {
  const list = { list: 'own-sessions', sub }
  const [before] = positionOf(deps, list, cursor) ?? []
  const rows = await listSignIns(deps.db, { userId: sub, before, limit: limit + 1 })
  return pageOf(deps, list, { rows, limit, position: ({ id }) => [id] })
}
