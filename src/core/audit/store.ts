import type { Db } from '../../db/client.ts'
import { Prisma } from '../../db/generated/client.ts'
import { uuidv7, uuidv7Floor } from '../../lib/ids.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Actor, AuditEvent, AuditType } from './events.ts'

const columns = Prisma.sql`id, type, outcome, actor, user_id, sid, address_prefix, user_agent, data`

const values = ({ type, outcome = 'success', actor, userId = null, sid = null, source, data = {} }: AuditEvent, clock: Clock): Prisma.Sql =>
  Prisma.sql`${uuidv7(clock.now())}::uuid, ${type}::text, ${outcome}::text, ${actor}::text, ${userId}::uuid, ${sid}::uuid, ${source.addressPrefix}::text, ${source.userAgent}::text, ${JSON.stringify(data)}::jsonb`

/** Writes one event, in the transaction of what it records where `db` is one. */
export async function recordEvent ({ db, clock }: { db: Db, clock: Clock }, event: AuditEvent): Promise<void> {
  await db.$executeRaw`INSERT INTO audit_event (${columns}) VALUES (${values(event, clock)})`
}

/**
 * The same as a part of the statement that does it: `WITH w AS (UPDATE … RETURNING 1), a AS (${eventFor(event, clock, 'w')}) …`.
 * Written only when the named part has a row, at most once; whatever happens, where none is named.
 * @param part name of a part of the same statement; never from a caller
 */
export const eventFor = (event: AuditEvent, clock: Clock, part?: string): Prisma.Sql =>
  Prisma.sql`INSERT INTO audit_event (${columns}) SELECT ${values(event, clock)} ${part === undefined ? Prisma.empty : Prisma.sql`WHERE EXISTS (SELECT 1 FROM ${Prisma.raw(part)})`}`

export type RecordedEvent = {
  id: string, at: Date, type: AuditType, outcome: 'success' | 'failure', actor: Actor, userId: string | null, sid: string | null
  addressPrefix: string | null, userAgent: string | null, data: Record<string, unknown>
}

/** Ids are made by the clocks of nodes, `at` is the database's time: how far they may lie apart. */
const SKEW_MS = 3_600_000

/** A page of the trail by key, whatever its size. @param after the id of the last event of the page before */
export async function listEvents (
  db: Db,
  { after, limit, newestFirst = false, userId, type, since, until }: { after?: string | undefined, limit: number, newestFirst?: boolean, userId?: string | undefined, type?: AuditType | undefined, since?: Date | undefined, until?: Date | undefined }
): Promise<RecordedEvent[]> {
  const bounds = [
    after !== undefined && (newestFirst ? Prisma.sql`id < ${after}::uuid` : Prisma.sql`id > ${after}::uuid`),
    userId !== undefined && Prisma.sql`user_id = ${userId}::uuid`,
    type !== undefined && Prisma.sql`type = ${type}::text`,
    // By `at`, and by id so that the index leads there.
    since && Prisma.sql`at >= ${since.toISOString()}::timestamptz AND id >= ${uuidv7Floor(since.getTime() - SKEW_MS)}::uuid`,
    until && Prisma.sql`at < ${until.toISOString()}::timestamptz AND id < ${uuidv7Floor(until.getTime() + SKEW_MS)}::uuid`,
  ].filter(bound => bound instanceof Prisma.Sql)
  return await db.$queryRaw<RecordedEvent[]>`
    SELECT id::text, at, type, outcome, actor, user_id::text AS "userId", sid::text, address_prefix AS "addressPrefix", user_agent AS "userAgent", data
    FROM audit_event WHERE ${Prisma.join([Prisma.sql`true`, ...bounds], ' AND ')} ORDER BY id ${newestFirst ? Prisma.sql`DESC` : Prisma.sql`ASC`} LIMIT ${limit}::int`
}

/** For many users at once, as the end of a statement. @param users a query of at most `count` ids, as the column `id` */
export const recordEventOfEach = ({ type, actor, data = {} }: Pick<AuditEvent, 'type' | 'actor' | 'data'>, clock: Clock, count: number, users: Prisma.Sql): Prisma.Sql =>
  Prisma.sql`INSERT INTO audit_event (id, type, outcome, actor, user_id, data)
    SELECT e.id, ${type}::text, 'success', ${actor}::text, n.id, ${JSON.stringify(data)}::jsonb
    FROM (SELECT id, row_number() OVER () AS n FROM (${users}) users) n
    JOIN unnest(${Array.from({ length: count }, () => uuidv7(clock.now()))}::uuid[]) WITH ORDINALITY AS e (id, n) ON e.n = n.n`

/** All before that id, a UUIDv7 bound; a range of keys at a time. @returns how many rows went; call again until it is less than the batch */
export const purgeEvents = async (db: Db, floor: string, batch: number): Promise<number> =>
  await db.$executeRaw`DELETE FROM audit_event WHERE id IN (SELECT id FROM audit_event WHERE id < ${floor}::uuid ORDER BY id LIMIT ${batch}::int)`

/** All but sign-ins, by which owners find their sessions. @returns as above */
export const purgeBriefEvents = async (db: Db, floor: string, batch: number): Promise<number> =>
  await db.$executeRaw`DELETE FROM audit_event WHERE id IN (SELECT id FROM audit_event WHERE id < ${floor}::uuid AND type <> 'session.started' ORDER BY id LIMIT ${batch}::int)`
