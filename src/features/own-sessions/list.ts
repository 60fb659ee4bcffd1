import { listSignIns, type SignIn } from '../../core/sessions/store.ts'
import type { Db } from '../../db/client.ts'
import { AppError } from '../../errors.ts'
import { isUuid } from '../../lib/ids.ts'

/** One page, newest first; `next` is null on the last. @throws invalid_cursor */
export async function listOwnSessions ({ db }: { db: Db }, { sub }: { sub: string }, { cursor, limit }: { cursor?: string | undefined, limit: number }): Promise<{ items: SignIn[], next: string | null }> {
  if (cursor !== undefined && !isUuid(cursor)) throw new AppError('invalid_cursor')
  const found = await listSignIns(db, { userId: sub, before: cursor, limit: limit + 1 })
  const items = found.slice(0, limit)
  return { items, next: found.length > limit ? items.at(-1)!.id : null }
}
