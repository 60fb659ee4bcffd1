import type { Db } from '../../db/client.ts'
import { Prisma } from '../../db/generated/client.ts'
import type { Clock } from '../../lib/clock.ts'
import { revocationId } from '../../lib/digest.ts'
import type { By } from '../audit/events.ts'
import { eventFor } from '../audit/store.ts'
import { retention } from '../revocations/store.ts'
import type { KeyAlg, NewKey, PublicJwk } from './generate.ts'
import { DEVICE_SECONDS, type KeyUse } from './schedule.ts'

export type KeyRow = {
  use: KeyUse, slot: number, rev: number, kid: string, alg: KeyAlg, public_jwk: PublicJwk | null
  private_enc: Uint8Array, kek_id: string, created_at: number, compromised: boolean
}

/** Every key that a living token can name, and the database's time. */
export async function loadKeys (db: Db, horizonSeconds: number, slotSeconds: number): Promise<{ rows: KeyRow[], now: number }> {
  const rows = await db.$queryRaw<(Omit<KeyRow, 'kid'> & { kid: string | null, now: number })[]>`
    SELECT extract(epoch FROM now())::float8 AS now, k.use, k.slot::float8 AS slot, k.rev::int AS rev, k.kid, k.alg, k.public_jwk, k.private_enc, k.kek_id,
      extract(epoch FROM k.created_at)::float8 AS created_at, k.compromised_at IS NOT NULL AS compromised
    FROM (SELECT 1) one LEFT JOIN signing_key k
      ON k.slot >= floor((extract(epoch FROM now()) - CASE k.use WHEN 'ft' THEN ${Math.max(horizonSeconds, DEVICE_SECONDS + slotSeconds)}::float8 ELSE ${horizonSeconds}::float8 END) / ${slotSeconds}::int)
    ORDER BY k.slot, k.rev`
  return { rows: rows.filter((row): row is KeyRow & { now: number } => row.kid !== null), now: rows[0]!.now }
}

/**
 * K1: makes a usable key exist in a slot. Of any number of nodes one wins; the losers throw their key away and re-read.
 * `rev` is authenticated by the seal, so the row is only written when it is the revision that comes next.
 * @param over also where the slot has a good key: a rotation
 */
export async function insertKey (db: Db, key: NewKey & { use: KeyUse, slot: number, rev: number, sealed: Buffer, kekId: string }, { over = false } = {}): Promise<boolean> {
  const rows = await db.$queryRaw<{ kid: string }[]>`
    INSERT INTO signing_key (use, slot, rev, kid, alg, public_jwk, private_enc, kek_id)
    SELECT ${key.use}::text, ${key.slot}::bigint, coalesce(max(rev) + 1, 0)::smallint, ${key.kid}::text, ${key.alg}::text,
      ${key.publicJwk === null ? null : JSON.stringify(key.publicJwk)}::jsonb, ${key.sealed}::bytea, ${key.kekId}::text
    FROM signing_key WHERE use = ${key.use}::text AND slot = ${key.slot}::bigint
    HAVING (${over}::bool OR coalesce(bool_and(compromised_at IS NOT NULL), true)) AND coalesce(max(rev) + 1, 0) = ${key.rev}::int
    ON CONFLICT (use, slot, rev) DO NOTHING RETURNING kid`
  return rows.length === 1
}

/** Moves a key under the first key-encryption key; a second node that does the same changes nothing. */
export async function rewrapKey (db: Db, kid: string, from: string, to: string, sealed: Buffer): Promise<void> {
  await db.$executeRaw`UPDATE signing_key SET private_enc = ${sealed}::bytea, kek_id = ${to}::text WHERE kid = ${kid}::text AND kek_id = ${from}::text`
}

/** For use inside the statement that renews what the key has signed: a node that has not read the feed yet must not renew it. */
export const isCompromised = (kid: string) => Prisma.sql`EXISTS (SELECT 1 FROM signing_key WHERE kid = ${kid}::text AND compromised_at IS NOT NULL)`

/** Long enough for verifiers that know no feed and follow a cached key set. */
const KEY_ENTRY_HOURS = 24

/**
 * Emergency: a key leaves the key set for ever, the feed says so and it is recorded, in one statement.
 * @returns false when there is no such key
 */
export async function compromiseKey ({ db, clock }: { db: Db, clock: Clock }, kid: string, by: By): Promise<boolean> {
  return await db.$executeRaw`
    WITH k AS (UPDATE signing_key SET compromised_at = coalesce(compromised_at, now()) WHERE kid = ${kid}::text RETURNING 1),
    a AS (${eventFor({ ...by, type: 'key.revoked', data: { kid } }, clock, 'k')})
    INSERT INTO revocation (kind, id, val, expires_at)
    SELECT 'k', ${revocationId('k', kid)}::bytea, 0, now() + make_interval(hours => ${KEY_ENTRY_HOURS}::int) FROM k` > 0
}

/**
 * The breach button, one statement: every refresh token dies with its key, every access token issued before this second
 * with the entry `a`. A handful of rows, however many sessions; nodes make fresh keys as soon as they read the feed.
 */
export async function revokeEverything ({ db, clock }: { db: Db, clock: Clock }, by: By): Promise<void> {
  await db.$executeRaw`
    WITH k AS (UPDATE signing_key SET compromised_at = now() WHERE use = 'rt' AND compromised_at IS NULL RETURNING kid),
    a AS (${eventFor({ ...by, type: 'everything.revoked' }, clock)})
    INSERT INTO revocation (kind, id, val, expires_at)
    SELECT 'k', substring(sha256(convert_to('k:' || kid, 'UTF8')) for 12), 0, now() + make_interval(hours => ${KEY_ENTRY_HOURS}::int) FROM k
    UNION ALL SELECT 'a', ${revocationId('a', '')}::bytea, ceil(extract(epoch FROM now()))::int, now() + ${retention}`
}
