import { isUuid } from '../../lib/ids.ts'
import type { FeedEntry, FeedLog } from './feed-log.ts'

/**
 * What a node knows of the feed. `xmin`: every transaction before it is over, and its entries are in the log. `anewFrom`: where it
 * had to begin anew, for a reason that those who stand before it may share; 0 for a node that never had to.
 */
export type FeedState = { feed: string, xmin: bigint, anewFrom: bigint, asOf: number, ttlSeconds: number, log: FeedLog }

/** One ending: kind, id, end of its life (seconds since the epoch), and for kinds u and a the value below which tokens are refused. */
export type FeedItem = [kind: string, id: string, expiresAt: number] | [kind: string, id: string, expiresAt: number, val: number]
/** For relays: the exact end of its life, and the transaction, so that what they pass on is the same feed, cursors and all. */
export type RelayItem = [kind: string, id: string, expiresAt: number, val: number, xid: string]

export type FeedDocument = { v: 1, feed: string, cursor: string, as_of: number, ttl: number, full: boolean, e: (FeedItem | RelayItem)[] }

/**
 * Where a client stands: the transaction from which on it may lack entries, and a fingerprint of those it has from there on. The
 * transaction alone would not do: while a long one holds it back, it says nothing of what has come since.
 */
export type Cursor = { feed: string, xid: bigint, print: string }

const CURSOR = /^([0-9a-f-]{36})\.(\d{1,19})\.([0-9a-f]{16})$/

export function parseCursor (text: string): Cursor | null {
  const match = CURSOR.exec(text)
  return match && isUuid(match[1]) ? { feed: match[1], xid: BigInt(match[2]!), print: match[3]! } : null
}

const formatCursor = ({ feed, xid, print }: Cursor): string => `${feed}.${xid}.${print}`

/** Everything that lives: for a client that has nothing, or whose cursor is of another timeline. */
export const fullDocument = (state: FeedState, item: ItemOf = itemOf): FeedDocument => document(state, state.xmin, true, state.log.all(), item)

/** Names the whole content: what If-None-Match compares. */
export const feedEtag = (state: FeedState): string => `"${formatCursor({ feed: state.feed, xid: state.xmin, print: state.log.printFrom(0n) })}"`

/** Is the cursor one that this node can continue? One ahead of it may only mean that this node has to read first. */
export const isAhead = (state: FeedState, cursor: Cursor): boolean => cursor.feed === state.feed && cursor.xid > state.xmin

/**
 * What a client at `cursor` lacks; null when that is nothing. A cursor of another feed, or still ahead after a read (the
 * database went back in time), gets everything, and so does one from before this node began anew.
 */
export function deltaDocument (state: FeedState, cursor: Cursor, item: ItemOf = itemOf): FeedDocument | null {
  if (cursor.feed !== state.feed || cursor.xid > state.xmin || cursor.xid < state.anewFrom) return fullDocument(state, item)
  return state.log.printFrom(cursor.xid) === cursor.print ? null : document(state, state.xmin, false, state.log.from(cursor.xid), item)
}

/** Nothing new, but how fresh that is, and a cursor moved on. */
export const emptyDocument = (state: FeedState): FeedDocument => document(state, state.xmin, false, [], itemOf)

function document (state: FeedState, xid: bigint, full: boolean, entries: readonly FeedEntry[], item: ItemOf): FeedDocument {
  return {
    v: 1,
    feed: state.feed,
    cursor: formatCursor({ feed: state.feed, xid, print: state.log.printFrom(xid) }),
    as_of: state.asOf,
    ttl: state.ttlSeconds,
    full,
    e: entries.map(item),
  }
}

type ItemOf = (entry: FeedEntry) => FeedItem | RelayItem

export const relayItemOf = ({ kind, id, expiresAt, val, xid }: FeedEntry): RelayItem => [kind, id, expiresAt, val, String(xid)]

export const itemOf = ({ kind, id, expiresAt, val }: FeedEntry): FeedItem =>
  kind === 'u' || kind === 'a' ? [kind, id, Math.ceil(expiresAt), val] : [kind, id, Math.ceil(expiresAt)]
