import type { Db } from '../../db/client.ts'
import { Prisma } from '../../db/generated/client.ts'
import { revocationId, type RevocationKind } from '../../lib/digest.ts'

export type RevocationRow = { xid: string, kind: RevocationKind, id: Uint8Array, val: number, expires_at: number }
export type FeedPage = { rows: RevocationRow[], next: string, asOf: number }

/**
 * How long a revocation must live: as long as any access token issued by any node under any configuration so far, and
 * 120 s for leeway and skew. For use inside the statement that ends something, so that no node acts on an old value.
 */
export const retention = Prisma.sql`(SELECT make_interval(secs => max_access_token_seconds + 120) FROM installation)`

/**
 * F1: every visible row from the cursor on, and the next cursor, from one snapshot. The cursor only moves to the oldest
 * transaction still open, so a row that commits late is never skipped; what is read twice is the same entry again.
 */
export async function readFeed (db: Db, cursor: string): Promise<FeedPage> {
  const rows = await db.$queryRaw<(Omit<RevocationRow, 'xid'> & { xid: string | null, next: string, as_of: number })[]>`
    SELECT r.xid::text AS xid, r.kind::text AS kind, r.id, r.val, extract(epoch FROM r.expires_at)::float8 AS expires_at,
      pg_snapshot_xmin(s.snap)::text AS next, extract(epoch FROM s.t)::float8 AS as_of
    FROM (SELECT pg_current_snapshot() AS snap, now() AS t) s
    LEFT JOIN revocation r ON r.xid >= ${cursor}::text::xid8`
  const { next, as_of: asOf } = rows[0]!
  return { rows: rows.filter((row): row is RevocationRow & { next: string, as_of: number } => row.xid !== null), next, asOf }
}

/** Count and fingerprint of what lives and is settled (before `xmin`), as the database has it: what a node's copy is compared with. */
export async function readDigest (db: Db, xmin: string): Promise<{ count: number, print: string, now: number }> {
  const [row] = await db.$queryRaw<{ count: number, print: string | null, now: number }[]>`
    SELECT count(*)::int AS count, extract(epoch FROM now())::float8 AS now,
      to_hex(bit_xor(('x' || encode(substring(sha256(convert_to(xid::text || ':' || kind::text || ':' || encode(id, 'hex') || ':' || val::text, 'UTF8')) for 8), 'hex'))::bit(64)::bigint)) AS print
    FROM revocation WHERE xid < ${xmin}::text::xid8 AND expires_at > now()`
  return { count: row!.count, print: (row!.print ?? '0').padStart(16, '0'), now: row!.now }
}

/** Ends one token that belongs to no session, in one statement. Repeated elsewhere it is the same entry again. */
export async function revokeToken (db: Db, jti: string): Promise<void> {
  await db.$executeRaw`INSERT INTO revocation (kind, id, val, expires_at) VALUES ('j', ${revocationId('j', jti)}::bytea, 0, now() + ${retention})`
}

/** @returns how many rows went; call again while it is the batch size. */
export async function purgeRevocations (db: Db, batch: number): Promise<number> {
  return await db.$executeRaw`DELETE FROM revocation WHERE (xid, kind, id) IN
    (SELECT xid, kind, id FROM revocation WHERE expires_at < now() LIMIT ${batch}::int)`
}
