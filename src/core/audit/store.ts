import type { Db } from '../../db/client.ts'
import { Prisma } from '../../db/generated/client.ts'
import { uuidv7 } from '../../lib/ids.ts'
import type { Clock } from '../../lib/clock.ts'
import type { AuditEvent } from './events.ts'

const columns = Prisma.sql`id, type, outcome, actor, user_id, sid, address_prefix, user_agent, data`

const values = ({ type, outcome = 'success', actor, userId = null, sid = null, source, data = {} }: AuditEvent, clock: Clock): Prisma.Sql =>
  Prisma.sql`${uuidv7(clock.now())}::uuid, ${type}::text, ${outcome}::text, ${actor}::text, ${userId}::uuid, ${sid}::uuid, ${source.addressPrefix}::text, ${source.userAgent}::text, ${JSON.stringify(data)}::jsonb`

/** Writes one event, in the transaction of what it records where `db` is one. */
export async function recordEvent ({ db, clock }: { db: Db, clock: Clock }, event: AuditEvent): Promise<void> {
  await db.$executeRaw`INSERT INTO audit_event (${columns}) VALUES (${values(event, clock)})`
}

/**
 * The same as a part of the statement that does it: `WITH w AS (UPDATE … RETURNING 1), a AS (${eventFor(event, clock, 'w')}) …`.
 * Written only when the named part has a row, at most once.
 * @param part name of a part of the same statement; never from a caller
 */
export const eventFor = (event: AuditEvent, clock: Clock, part: string): Prisma.Sql =>
  Prisma.sql`INSERT INTO audit_event (${columns}) SELECT ${values(event, clock)} WHERE EXISTS (SELECT 1 FROM ${Prisma.raw(part)})`
