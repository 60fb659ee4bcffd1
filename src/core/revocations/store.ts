import type { Db } from '../../db/client.ts'
import { Prisma } from '../../db/generated/client.ts'
import { revocationId, type RevocationKind } from '../../lib/digest.ts'

export type RevocationRow = { xid: string, kind: RevocationKind, id: Uint8Array, val: number, expires_at: number }
export type FeedPage = { rows: RevocationRow[], next: string, asOf: number }
type Digest = { count: number, print: string, now: number }

/**
 * How the table is read in the order of its entries. `xid` stands for a place in that order: the transaction of an entry, or
 * with FEED_CURSOR=time the microsecond in which it was made. Places of the two kinds are far apart, so that a cursor of one kind
 * is behind or ahead of all of the other: it costs a few repeated entries, never one missed.
 */
export type FeedTable = {
  /** Every visible entry from the cursor on, and the next cursor, from one snapshot. */
  read: (db: Db, cursor: string) => Promise<FeedPage>
  /** Count and fingerprint of what lives and is settled (before `xmin`), as the database has it: what a node's copy is compared with. */
  digest: (db: Db, xmin: string) => Promise<Digest>
}

/**
 * How long a revocation must live: as long as any access token issued by any node under any configuration so far, and
 * 120 s for leeway and skew. For use inside the statement that ends something, so that no node acts on an old value.
 */
export const retention = Prisma.sql`(SELECT make_interval(secs => max_access_token_seconds + 120) FROM installation)`

/**
 * F1: the cursor only moves to the oldest transaction still open, so a row that commits late is never skipped; what is read
 * twice is the same entry again.
 */
async function readByXid (db: Db, cursor: string): Promise<FeedPage> {
  const rows = await db.$queryRaw<(Omit<RevocationRow, 'xid'> & { xid: string | null, next: string, as_of: number })[]>`
    SELECT r.xid::text AS xid, r.kind::text AS kind, r.id, r.val, extract(epoch FROM r.expires_at)::float8 AS expires_at,
      pg_snapshot_xmin(s.snap)::text AS next, extract(epoch FROM s.t)::float8 AS as_of
    FROM (SELECT pg_current_snapshot() AS snap, now() AS t) s
    LEFT JOIN revocation r ON r.xid >= ${cursor}::text::xid8`
  const { next, as_of: asOf } = rows[0]!
  return { rows: rows.filter((row): row is RevocationRow & { next: string, as_of: number } => row.xid !== null), next, asOf }
}

async function digestByXid (db: Db, xmin: string): Promise<Digest> {
  const [row] = await db.$queryRaw<DigestRow[]>`
    SELECT count(*)::int AS count, extract(epoch FROM now())::float8 AS now,
      to_hex(bit_xor(('x' || encode(substring(sha256(convert_to(xid::text || ':' || kind::text || ':' || encode(id, 'hex') || ':' || val::text, 'UTF8')) for 8), 'hex'))::bit(64)::bigint)) AS print
    FROM revocation WHERE xid < ${xmin}::text::xid8 AND expires_at > now()`
  return digestOf(row!)
}

/** Ends one token that belongs to no session, in one statement. Repeated elsewhere it is the same entry again. */
export async function revokeToken (db: Db, jti: string): Promise<void> {
  await db.$executeRaw`INSERT INTO revocation (kind, id, val, expires_at) VALUES ('j', ${revocationId('j', jti)}::bytea, 0, now() + ${retention})`
}

/** An entry may become visible this long after it was made: longer than any statement of ours may take, and then some. */
const OVERLAP_SECONDS = 10
/** Clocks of two servers of one database may differ a little; no more than the overlap can bear. */
const CLOCKS_MICROSECONDS = 3_000_000n

/** F1 without transaction ids: the cursor stays ten seconds behind the database's clock, so that what commits late is still read. */
async function readByTime (db: Db, cursor: string): Promise<FeedPage> {
  const rows = await db.$queryRaw<(Omit<RevocationRow, 'xid'> & { xid: string | null, next: string, as_of: number })[]>`
    SELECT round(extract(epoch FROM r.created_at) * 1000000)::bigint::text AS xid, r.kind::text AS kind, r.id, r.val, extract(epoch FROM r.expires_at)::float8 AS expires_at,
      round((extract(epoch FROM s.t) - ${OVERLAP_SECONDS}::int) * 1000000)::bigint::text AS next, extract(epoch FROM s.t)::float8 AS as_of
    FROM (SELECT now() AS t) s
    LEFT JOIN revocation r ON r.created_at >= timestamptz 'epoch' + ${cursor}::text::bigint * interval '1 microsecond'`
  const { next, as_of: asOf } = rows[0]!
  const back = BigInt(cursor) - BigInt(next)
  return {
    rows: rows.filter((row): row is RevocationRow & { next: string, as_of: number } => row.xid !== null),
    next: back > 0n && back <= CLOCKS_MICROSECONDS ? cursor : next,
    asOf,
  }
}

/** DISTINCT: two rows may be one entry here, and would cancel each other out. */
async function digestByTime (db: Db, xmin: string): Promise<Digest> {
  const [row] = await db.$queryRaw<DigestRow[]>`
    SELECT count(*)::int AS count, extract(epoch FROM now())::float8 AS now,
      to_hex(bit_xor(('x' || encode(substring(sha256(convert_to(at::text || ':' || kind || ':' || encode(id, 'hex') || ':' || val::text, 'UTF8')) for 8), 'hex'))::bit(64)::bigint)) AS print
    FROM (SELECT DISTINCT round(extract(epoch FROM created_at) * 1000000)::bigint AS at, kind::text AS kind, id, val
      FROM revocation WHERE created_at < timestamptz 'epoch' + ${xmin}::text::bigint * interval '1 microsecond' AND expires_at > now()) entries`
  return digestOf(row!)
}

type DigestRow = { count: number, print: string | null, now: number }
const digestOf = ({ count, print, now }: DigestRow): Digest => ({ count, print: (print ?? '0').padStart(16, '0'), now })

export const feedTables = {
  xid: { read: readByXid, digest: digestByXid },
  time: { read: readByTime, digest: digestByTime },
} satisfies Record<string, FeedTable>
export type FeedCursor = keyof typeof feedTables

/** By the end of their lives alone, because with FEED_CURSOR=time the table may have no key. @returns how many rows went; call again until it is less than the batch */
export async function purgeRevocations (db: Db, batch: number): Promise<number> {
  return await db.$executeRaw`DELETE FROM revocation WHERE expires_at <=
    (SELECT max(expires_at) FROM (SELECT expires_at FROM revocation WHERE expires_at < now() ORDER BY expires_at LIMIT ${batch}::int) oldest)`
}
