import { queryDirectly, retryConflicts, type Db } from '../../db/client.ts'
import { Prisma } from '../../db/generated/client.ts'
import type { Clock } from '../../lib/clock.ts'
import { revocationId } from '../../lib/digest.ts'
import type { AuditEvent, By, Source } from '../audit/events.ts'
import { eventFor } from '../audit/store.ts'
import { isCompromised } from '../keys/store.ts'
import { retention } from '../revocations/store.ts'
import { ENDED_GENERATION } from '../tokens/refresh-token.ts'
import type { CustomClaims } from '../tokens/session-claims.ts'

export type Spent = {
  outcome: 'ok' | 'revoked' | 'reuse'
  /** The newest generation that was spent: the one presented, or of its burst the last. */
  gen: number
  /** When that generation was first spent, seconds; what its successor is issued at. */
  spentAt: number
  /** Database time, seconds. */
  now: number
  roles: string[]
  claims: CustomClaims
  /** How often this family came back later than the grace. */
  late: number
}

/**
 * A generation may be used until the grace is over, and its last user be on the way for so long when the next one is spent, also
 * while a node is dying. A browser has some tens of tabs at most.
 */
const BURST_GAP_SECONDS = 10
const LONGEST_BURST = 32

type Spending = { sub: string, sid: string, gen: number, ver: number, kid: string, shared: boolean, graceSeconds: number, lateBudget: number, source: Source }

/** A row of what is not there is null. */
type SpentRow = {
  outcome: Spent['outcome'] | 'late', gen: number | null, spent_at: number | null, late: number | null
  db_now: number, roles: string[] | null, claims: CustomClaims | null
}

/**
 * R1: spends one generation, in one statement. Whoever comes first raises the watermark; whoever comes with the same
 * generation, at once or within the grace, reads the same `spent_at` and so makes the same successor. Later than that
 * costs one of a few late credits (one comes back every 16 rotations); an older generation is reuse.
 * A generation above watermark + 1 is what a lost row looks like, and is accepted: the chain re-synchronises.
 *
 * `shared`: the token is in the cookie of a browser, whose tabs present it as they come. Where one spends what another has just
 * received, a third may still be on its way with the one before. So of generations that were spent in quick succession (a burst) each
 * counts as the last, and gets the successor of the last. A row that had been lost is taken for one in the middle of a burst.
 *
 * What comes later than the grace changes nothing at first, and is taken up by a second statement, which also records it: the many that
 * are in time need not pay for the few that are not.
 */
export async function spendGeneration (deps: { db: Db, clock: Clock }, spending: Spending): Promise<Spent> {
  const { outcome, ...spent } = await spend(deps, spending, false)
  return outcome === 'late' ? await spend(deps, spending, true) as Spent : { outcome, ...spent }
}

async function spend (
  { db, clock }: { db: Db, clock: Clock },
  { sub, sid, gen, ver, kid, shared, graceSeconds, lateBudget, source }: Spending, late: boolean
): Promise<Omit<Spent, 'outcome'> & { outcome: Spent['outcome'] | 'late' }> {
  // Nobody raises the watermark under a generation that was spent already: only a late acceptance moves `spent_at` to now.
  const record = late
    ? Prisma.sql`, l AS (SELECT 1 FROM s WHERE s.spent_at = now()), a AS (${eventFor({ type: 'session.refreshed_late', actor: `user:${sub}`, userId: sub, sid, source, data: { gen } }, clock, 'l')})`
    : Prisma.empty
  const statement = Prisma.sql`
    WITH p AS (SELECT ${gen}::int AS gen, ${ver}::int AS ver, ${shared ? 1 : 0}::int AS shared, make_interval(secs => ${graceSeconds}::float8) AS grace, ${lateBudget}::int AS budget, ${late}::bool AS late),
    u AS (SELECT id, epoch, status, roles, claims FROM users WHERE id = ${sub}::uuid AND NOT ${isCompromised(kid)}),
    s AS (
      INSERT INTO refresh_spent AS w (sid, gen, spent_at, late, burst)
      SELECT ${sid}::uuid, p.gen, now(), 0, least(p.gen - 1, ${LONGEST_BURST}::int) FROM u, p WHERE u.status = 1 AND u.epoch = p.ver
      ON CONFLICT (sid) DO UPDATE SET
        gen  = greatest(w.gen, excluded.gen),
        late = CASE WHEN w.gen < excluded.gen THEN greatest(w.late - (excluded.gen % 16 = 0)::int, 0)
                    WHEN (SELECT late FROM p) AND excluded.gen >= w.gen - w.burst * (SELECT shared FROM p) AND excluded.spent_at - w.spent_at > (SELECT grace FROM p) THEN least(w.late + 1, 100)
                    ELSE w.late END,
        spent_at = CASE WHEN w.gen < excluded.gen THEN excluded.spent_at
                        WHEN (SELECT late FROM p) AND excluded.gen >= w.gen - w.burst * (SELECT shared FROM p) AND excluded.spent_at - w.spent_at > (SELECT grace FROM p) AND w.late < (SELECT budget FROM p) THEN excluded.spent_at
                        ELSE w.spent_at END,
        burst = CASE WHEN w.gen >= excluded.gen THEN w.burst
                     WHEN excluded.spent_at - w.spent_at <= (SELECT grace FROM p) + make_interval(secs => ${BURST_GAP_SECONDS}::float8) THEN least(w.burst + excluded.gen - w.gen, ${LONGEST_BURST}::int)
                     ELSE 0 END
      RETURNING gen, spent_at, late, burst)${record}
    SELECT u.roles, u.claims, s.gen, extract(epoch FROM now())::float8 AS db_now, extract(epoch FROM s.spent_at)::float8 AS spent_at, s.late::int AS late,
      CASE WHEN u.id IS NULL OR u.status <> 1 OR u.epoch <> p.ver THEN 'revoked'
           WHEN p.gen >= s.gen - s.burst * p.shared AND NOT p.late AND now() - s.spent_at > p.grace THEN 'late'
           WHEN p.gen >= s.gen - s.burst * p.shared AND s.late <= p.budget THEN 'ok'
           WHEN s.gen = ${ENDED_GENERATION}::int                  THEN 'revoked'
           ELSE 'reuse' END AS outcome
    FROM p LEFT JOIN u ON true LEFT JOIN s ON true`
  const [row] = await retryConflicts(() => queryDirectly<SpentRow>(db, statement))
  return { outcome: row!.outcome, gen: row!.gen ?? gen, spentAt: row!.spent_at ?? 0, now: row!.db_now, roles: row!.roles ?? [], claims: row!.claims ?? {}, late: row!.late ?? 0 }
}

/**
 * R2: ends a family, tells the feed and records it, in one statement. Repeating it writes nothing.
 * @returns whether it was this call that ended it
 */
export async function endFamily ({ db, clock }: { db: Db, clock: Clock }, sid: string, event: Omit<AuditEvent, 'sid'>): Promise<boolean> {
  return await retryConflicts(() => db.$executeRaw`
    WITH w AS (${endedBy(sid, '(SELECT 1) one')}),
    a AS (${eventFor({ ...event, sid }, clock, 'w')})
    INSERT INTO revocation (kind, id, val, expires_at) SELECT 's', ${revocationId('s', sid)}::bytea, 0, now() + ${retention} FROM w`) > 0
}

/**
 * R2 for whoever knows no more than its id: ends a family that this user began, and no other. It is the audit trail that says so,
 * and this is the one thing that it decides.
 * @returns whether there is one, ended by now
 */
export async function endOwnFamily ({ db, clock }: { db: Db, clock: Clock }, { sid, userId }: { sid: string, userId: string }, by: By): Promise<boolean> {
  const rows = await retryConflicts(() => db.$queryRaw<object[]>`
    WITH own AS (SELECT 1 FROM audit_event WHERE user_id = ${userId}::uuid AND sid = ${sid}::uuid AND type = 'session.started' LIMIT 1),
    w AS (${endedBy(sid, 'own')}),
    a AS (${eventFor({ ...by, type: 'session.ended', userId, sid }, clock, 'w')}),
    r AS (INSERT INTO revocation (kind, id, val, expires_at) SELECT 's', ${revocationId('s', sid)}::bytea, 0, now() + ${retention} FROM w)
    SELECT 1 FROM own`)
  return rows.length > 0
}

/** The watermark above every generation, where a part of the statement has a row; a row only when it was not there. */
const endedBy = (sid: string, part: string): Prisma.Sql => Prisma.sql`
  INSERT INTO refresh_spent AS w (sid, gen, spent_at) SELECT ${sid}::uuid, ${ENDED_GENERATION}::int, now() FROM ${Prisma.raw(part)}
  ON CONFLICT (sid) DO UPDATE SET gen = ${ENDED_GENERATION}::int, spent_at = excluded.spent_at WHERE w.gen <> ${ENDED_GENERATION}::int RETURNING 1`

/** Deletes what no living token can need, a key range at a time. `floor` is a UUIDv7 bound. */
export async function purgeSpent (db: Db, floor: string, batch: number): Promise<number> {
  return await db.$executeRaw`DELETE FROM refresh_spent WHERE sid IN
    (SELECT sid FROM refresh_spent WHERE sid < ${floor}::uuid ORDER BY sid LIMIT ${batch}::int)`
}

/** Database time, and the longest that any session of this installation may ever have been allowed to last; seconds. */
export async function sessionHorizon (db: Db): Promise<{ now: number, maxSessionSeconds: number }> {
  const [row] = await db.$queryRaw<{ now: number, max: number }[]>`
    SELECT extract(epoch FROM now())::float8 AS now, max_session_seconds AS max FROM installation`
  return { now: row!.now, maxSessionSeconds: row!.max }
}

/** A sign-in as its row in the trail has it; `id` is that of the row. */
export type SignIn = { id: string, sid: string, startedAt: Date, expiresAt: Date, addressPrefix: string | null, userAgent: string | null }

/**
 * The sign-ins of a user that may still live, newest first: those of the present epoch, before their absolute end, not ended one by one,
 * and last refreshed when a key that is still good could have signed it. To be shown, never to authorise.
 */
export async function listSignIns (db: Db, { userId, before, limit }: { userId: string, before?: string | undefined, limit: number }): Promise<SignIn[]> {
  return await db.$queryRaw<SignIn[]>`
    SELECT a.id::text, a.sid::text, a.at AS "startedAt", to_timestamp((a.data->>'sexp')::float8) AS "expiresAt", a.address_prefix AS "addressPrefix", a.user_agent AS "userAgent"
    FROM audit_event a JOIN users u ON u.id = a.user_id LEFT JOIN refresh_spent w ON w.sid = a.sid
    WHERE a.user_id = ${userId}::uuid AND a.type = 'session.started' AND (${before ?? null}::uuid IS NULL OR a.id < ${before ?? null}::uuid)
      AND (a.data->>'ver')::int = u.epoch AND (a.data->>'sexp')::float8 > extract(epoch FROM now()) AND w.gen IS DISTINCT FROM ${ENDED_GENERATION}::int
      AND EXISTS (SELECT 1 FROM signing_key k WHERE k.use = 'rt' AND k.compromised_at IS NULL AND k.created_at < coalesce(w.spent_at, a.at) + interval '10 seconds')
    ORDER BY a.id DESC LIMIT ${limit}::int`
}
