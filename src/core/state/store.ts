import type { Db } from '../../db/client.ts'
import { Prisma } from '../../db/generated/client.ts'
import { uuidv7Floor } from '../../lib/ids.ts'
import { BOUNDS, type Facts } from './bounds.ts'

/** Counted one by one up to here; beyond, the database's own estimate does. */
const COUNTED = 10_000
const DAY = 86_400
/** The tables of the job queue are another program's; they are shown as one. */
const JOBS = 'pgboss'

export type TableState = {
  table: string
  rows: number
  /** False: the database's estimate, or at least as many as were counted. */
  exact: boolean
  /** With its indexes and what is kept out of line. */
  bytes: number
  bound: string
  /** The most rows that the bound lets it have, where that is a number. */
  allowed: number | null
  /** Rows that have outlived the bound and wait for the next purge, as far as they were counted; null where nothing expires. */
  overdue: number | null
}

type Settings = { keySlotSeconds: number, auditRetentionSeconds: number }

/** The ledger: every table with its size and what bounds it. Reads a bounded number of rows, however large the tables are. */
export async function readState (db: Db, settings: Settings): Promise<TableState[]> {
  const [facts] = await db.$queryRaw<(Omit<Facts, 'keySlotSeconds' | 'users'> & { maxSession: number, hasJobs: boolean })[]>`
    SELECT extract(epoch FROM now())::float8 AS now, extract(epoch FROM created_at)::float8 AS "installedAt", max_session_seconds AS "maxSession",
      (SELECT count(*)::int FROM signing_key WHERE rev > 0) AS "furtherKeys", (SELECT count(*)::int FROM _prisma_migrations) AS migrations,
      to_regclass('pgboss.job') IS NOT NULL AS "hasJobs"
    FROM installation`
  const { now, maxSession, hasJobs } = facts!
  const overdue: Record<string, Prisma.Sql> = {
    refresh_spent: Prisma.sql`sid < ${uuidv7Floor((now - maxSession - DAY) * 1000)}::uuid`,
    revocation: Prisma.sql`expires_at < now()`,
    idempotency: Prisma.sql`expires_at < now()`,
    audit_event: Prisma.sql`id < ${uuidv7Floor((now - settings.auditRetentionSeconds) * 1000)}::uuid`,
    rate_limit: Prisma.sql`expire < ${Math.floor(now * 1000)}::bigint`,
  }
  const counted = (from: Prisma.Sql, where?: Prisma.Sql): Prisma.Sql =>
    Prisma.sql`(SELECT count(*)::int FROM (SELECT 1 FROM ${from} ${where ? Prisma.sql`WHERE ${where}` : Prisma.empty} LIMIT ${COUNTED + 1}::int) seen)`
  const lines = Object.keys(BOUNDS).filter(table => table !== JOBS || hasJobs).map(table => {
    const from = table === JOBS ? Prisma.sql`pgboss.job` : Prisma.raw(`"${table}"`)
    const sizes = table === JOBS
      ? Prisma.sql`SELECT greatest(sum(reltuples), 0)::float8 AS estimate, sum(pg_total_relation_size(oid))::float8 AS bytes FROM pg_class WHERE relnamespace = ${JOBS}::text::regnamespace AND relkind = 'r'`
      : Prisma.sql`SELECT greatest(reltuples, 0)::float8 AS estimate, pg_total_relation_size(oid)::float8 AS bytes FROM pg_class WHERE oid = ${table}::text::regclass`
    return Prisma.sql`SELECT ${table}::text AS "table", ${counted(from)} AS counted, ${overdue[table] ? counted(from, overdue[table]) : Prisma.sql`NULL::int`} AS overdue, s.* FROM (${sizes}) s`
  })
  const rows = await db.$queryRaw<{ table: string, counted: number, overdue: number | null, estimate: number, bytes: number }[]>`${Prisma.join(lines, ' UNION ALL ')}`
  const rowsOf = ({ counted, estimate }: typeof rows[number]): number => counted <= COUNTED ? counted : Math.max(Math.round(estimate), counted)
  const users = rowsOf(rows.find(({ table }) => table === 'users')!)
  return rows.map(row => {
    const { bound, allowed } = BOUNDS[row.table]!
    return {
      table: row.table, rows: rowsOf(row), exact: row.counted <= COUNTED, bytes: row.bytes, bound,
      allowed: allowed?.({ ...facts!, users, keySlotSeconds: settings.keySlotSeconds }) ?? null,
      overdue: row.overdue,
    }
  })
}
