import { retryConflicts, type Db } from '../../db/client.ts'
import type { Clock } from '../../lib/clock.ts'
import { revocationId } from '../../lib/digest.ts'
import type { By } from '../audit/events.ts'
import { eventFor } from '../audit/store.ts'
import { retention } from '../revocations/store.ts'
import type { ClientJwk } from './jwks.ts'

export type ClientRow = { id: string, name: string, secret_digest: Uint8Array | null, jwks: { keys: ClientJwk[] } | null, scopes: string[], created_at: Date, disabled_at: Date | null }
export type NewClient = { id: string, name: string, secretDigest: Buffer | null, jwks: { keys: ClientJwk[] } | null, scopes: string[] }

/** Above every `ver`: the tokens of a client carry 0. */
export const ENDED_EPOCH = 2_147_483_647

/** Every client that may authenticate, and the database's time, seconds. */
export async function loadClients (db: Db): Promise<{ rows: ClientRow[], now: number }> {
  const rows = await db.$queryRaw<(Omit<ClientRow, 'id'> & { id: string | null, now: number })[]>`
    SELECT extract(epoch FROM now())::float8 AS now, c.id::text AS id, c.name, c.secret_digest, c.jwks, c.scopes, c.created_at, c.disabled_at
    FROM (SELECT 1) one LEFT JOIN client c ON c.disabled_at IS NULL`
  return { rows: rows.filter((row): row is ClientRow & { now: number } => row.id !== null), now: rows[0]!.now }
}

/** The deleted ones too, in the order they were made. */
export async function listClients (db: Db): Promise<ClientRow[]> {
  return await db.client.findMany({ orderBy: { id: 'asc' } }) as unknown as ClientRow[]
}

/** A page of them, newest first, the deleted ones too. @param after the id of the last one of the page before */
export async function listClientsAfter (db: Db, { after, limit }: { after: string | undefined, limit: number }): Promise<ClientRow[]> {
  return await db.client.findMany({ ...(after !== undefined && { where: { id: { lt: after } } }), orderBy: { id: 'desc' }, take: limit }) as unknown as ClientRow[]
}

export async function findClient (db: Db, id: string): Promise<ClientRow | null> {
  return await db.client.findUnique({ where: { id } }) as unknown as ClientRow | null
}

export async function databaseTime (db: Db): Promise<number> {
  const [row] = await db.$queryRaw<{ now: number }[]>`SELECT extract(epoch FROM now())::float8 AS now`
  return row!.now
}

export async function insertClient ({ db, clock }: { db: Db, clock: Clock }, { id, name, secretDigest, jwks, scopes }: NewClient, by: By): Promise<void> {
  await db.$executeRaw`
    WITH c AS (INSERT INTO client (id, name, secret_digest, jwks, scopes)
      VALUES (${id}::uuid, ${name}::text, ${secretDigest}::bytea, ${jwks === null ? null : JSON.stringify(jwks)}::jsonb, ${scopes}::text[]) RETURNING 1)
    ${eventFor({ ...by, type: 'client.created', data: { client_id: id, scopes } }, clock, 'c')}`
}

/**
 * What a token of a client is made from: its scopes, as they are now, and the database's time; null when it was deleted. One
 * statement, so that no node issues tokens for a client whose deletion it has not heard of.
 */
export async function findForIssue (db: Db, id: string): Promise<{ scopes: string[], now: number } | null> {
  const [row] = await db.$queryRaw<{ scopes: string[], now: number }[]>`
    SELECT scopes, extract(epoch FROM now())::float8 AS now FROM client WHERE id = ${id}::uuid AND disabled_at IS NULL`
  return row ?? null
}

/**
 * Ends a client and the tokens it holds, and records it, in one statement: the entry is that of a user of this id, and an epoch above any.
 * @returns false when there is no such client any more
 */
export async function deleteClient ({ db, clock }: { db: Db, clock: Clock }, id: string, by: By): Promise<boolean> {
  return await retryConflicts(() => db.$executeRaw`
    WITH c AS (UPDATE client SET disabled_at = now() WHERE id = ${id}::uuid AND disabled_at IS NULL RETURNING 1),
    a AS (${eventFor({ ...by, type: 'client.deleted', data: { client_id: id } }, clock, 'c')})
    INSERT INTO revocation (kind, id, val, expires_at) SELECT 'u', ${revocationId('u', id)}::bytea, ${ENDED_EPOCH}::int, now() + ${retention} FROM c`) > 0
}
