import type { Db } from '../../../db/client.ts'
import { Prisma } from '../../../db/generated/client.ts'
import type { Clock } from '../../../lib/clock.ts'
import { recordEventOfEach } from '../../audit/store.ts'

/**
 * Deletes accounts whose address nobody confirmed, oldest first, and records it, in one statement. One that was ever signed in to stays: it is from before
 * addresses had to be confirmed, and somebody's; one that was imported, or changed by an administrator, has that long from then. So nothing here has a token that the feed would have to name, and whoever signs up thousands of
 * addresses cannot fill it.
 * @returns how many rows went; call again until it is less than the batch
 */
export async function purgeUnverified ({ db, clock }: { db: Db, clock: Clock }, olderThanSeconds: number, batch: number): Promise<number> {
  const old = await db.$queryRaw<{ id: string }[]>`
    SELECT u.id::text FROM users u WHERE u.email_verified_at IS NULL AND u.created_at < now() - make_interval(secs => ${olderThanSeconds}::float8)
      AND u.updated_at < now() - make_interval(secs => ${olderThanSeconds}::float8)
      AND NOT EXISTS (SELECT 1 FROM audit_event e WHERE e.user_id = u.id AND e.type = 'session.started')
    ORDER BY u.created_at LIMIT ${batch}::int`
  if (old.length === 0) return 0
  // Confirmed in between, it stays.
  await db.$executeRaw`
    WITH u AS (DELETE FROM users WHERE id = ANY(${old.map(({ id }) => id)}::uuid[]) AND email_verified_at IS NULL RETURNING id),
    c AS (DELETE FROM credential WHERE user_id IN (SELECT id FROM u))
    ${recordEventOfEach({ type: 'account.deleted', actor: 'system', data: { reason: 'never_verified' } }, clock, old.length, Prisma.sql`SELECT id FROM u`)}`
  return old.length
}
