import { AppError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'
import { listName, openCursor, sealCursor, type Position } from '../../lib/cursor.ts'
import { deriveKey } from '../keys/derive.ts'
import type { Keyring } from '../keys/keyring.ts'

const PURPOSE = 'cursor'
const LIVES_SECONDS = 86_400

type Deps = { keyring: Keyring, clock: Clock }

/** Everything that decides what is on the pages: the list's name, who asks (`sub`), and every filter. */
export type ListOf = Readonly<Record<string, string | undefined>> & { list: string, sub: string }

/** Where a page begins, on any node; undefined: at the start. @throws invalid_cursor for what was not handed out here, for this list and caller, within a day */
export function positionOf ({ keyring, clock }: Deps, list: ListOf, cursor: string | undefined): Position | undefined {
  if (cursor === undefined) return undefined
  const keys = keyring.usable('ft').map(key => deriveKey(key, PURPOSE))
  const position = openCursor(keys, cursor, { list: listName(list), now: clock.now() / 1000 })
  if (!position) throw new AppError('invalid_cursor')
  return position
}

/** @param rows one more than the page holds where there are more; `next` is null on the last page */
export function pageOf<R> ({ keyring, clock }: Deps, list: ListOf, { rows, limit, position }: { rows: readonly R[], limit: number, position: (row: R) => Position }): { items: R[], next: string | null } {
  const items = rows.slice(0, limit)
  if (rows.length <= limit) return { items, next: null }
  const now = clock.now() / 1000
  const key = deriveKey(keyring.signingKey('ft', now), PURPOSE)
  return { items, next: sealCursor(key, { position: position(items.at(-1)!), list: listName(list), expiresAt: now + LIVES_SECONDS }) }
}
