import type { RevocationKind } from '../../lib/digest.ts'
import { isUuid } from '../../lib/ids.ts'
import { parseCursor, type Cursor } from '../revocations/feed.ts'
import type { RevocationRow } from '../revocations/store.ts'
import { UpstreamError } from './upstream.ts'

/** A document of the feed as a relay asks for it: with the transaction of every entry. */
export type RelayDocument = { feed: string, cursor: Cursor, cursorText: string, asOf: number, ttlSeconds: number, full: boolean, rows: RevocationRow[] }

/** @throws when it is anything else: a document is applied as a whole or not at all */
export function parseRelayDocument (value: unknown): RelayDocument {
  const { v, feed, cursor: cursorText, as_of: asOf, ttl, full, e } = (value ?? {}) as Record<string, unknown>
  const cursor = typeof cursorText === 'string' ? parseCursor(cursorText) : null
  if (v !== 1 || !isUuid(feed) || cursor?.feed !== feed || !isInstant(asOf) || !isCount(ttl) || typeof full !== 'boolean' || !Array.isArray(e)) {
    throw new UpstreamError('it answered no document of the feed')
  }
  return { feed, cursor, cursorText: cursorText as string, asOf, ttlSeconds: ttl, full, rows: e.map(rowOf) }
}

/** `[kind, id, expires_at, val, xid]`. A kind of a later release is passed on like the others. */
function rowOf (item: unknown): RevocationRow {
  const [kind, id, expiresAt, val, xid, ...more] = Array.isArray(item) ? item as unknown[] : []
  if (typeof kind !== 'string' || !/^[a-z]$/.test(kind) || typeof id !== 'string' || !/^[A-Za-z0-9_-]{16}$/.test(id) ||
    !isInstant(expiresAt) || !isCount(val) || typeof xid !== 'string' || !/^(0|[1-9]\d{0,18})$/.test(xid) || more.length > 0) {
    throw new UpstreamError('it answered an entry that is none')
  }
  return { xid, kind: kind as RevocationKind, id: Buffer.from(id, 'base64url'), val, expires_at: expiresAt }
}

const isInstant = (value: unknown): value is number => typeof value === 'number' && value > 0 && value < 1e11
const isCount = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31
