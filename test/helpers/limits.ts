import type { Sql } from './database.ts'

/** The shared counters start anew, as after a crash of PostgreSQL; counters of failures stay. */
export const forgetCounters = async (sql: Sql): Promise<void> => { await sql('TRUNCATE rate_limit') }
