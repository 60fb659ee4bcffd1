import type { Db } from '../../db/client.ts'

const LIVES_HOURS = 24
/** How long a request waits for another with the same key. Below the time that any statement of ours may take. */
const LOCK_TIMEOUT = '1500ms'

export type Claim = { scope: Buffer, key: Buffer }
export type Kept = { fp: Uint8Array, status: number, body: unknown }

/**
 * Takes the key for the transaction that `db` is; whoever comes with the same one waits until that commits or rolls back.
 * @returns false when it was taken before, by what has been committed
 */
export async function claimKey (db: Db, { scope, key, fp }: Claim & { fp: Buffer }): Promise<boolean> {
  await db.$executeRawUnsafe(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`)
  const claimed = await db.$executeRaw`
    INSERT INTO idempotency AS k (scope, key, fp, status, body, expires_at) VALUES (${scope}::bytea, ${key}::bytea, ${fp}::bytea, 0, NULL, now() + make_interval(hours => ${LIVES_HOURS}::int))
    ON CONFLICT (scope, key) DO UPDATE SET fp = excluded.fp, status = 0, body = NULL, expires_at = excluded.expires_at WHERE k.expires_at < now()`
  return claimed === 1
}

export async function keepAnswer (db: Db, { scope, key }: Claim, { status, body }: { status: number, body: string }): Promise<void> {
  await db.$executeRaw`UPDATE idempotency SET status = ${status}::smallint, body = to_jsonb(${body}::text) WHERE scope = ${scope}::bytea AND key = ${key}::bytea`
}

export async function findAnswer (db: Db, { scope, key }: Claim): Promise<Kept | null> {
  const [row] = await db.$queryRaw<Kept[]>`SELECT fp, status::int, body FROM idempotency WHERE scope = ${scope}::bytea AND key = ${key}::bytea`
  return row ?? null
}

/** @returns how many rows went; call again until it is less than the batch */
export async function purgeAnswers (db: Db, batch: number): Promise<number> {
  return await db.$executeRaw`
    DELETE FROM idempotency WHERE (scope, key) IN (SELECT scope, key FROM idempotency WHERE expires_at < now() ORDER BY expires_at LIMIT ${batch}::int FOR UPDATE SKIP LOCKED)`
}
