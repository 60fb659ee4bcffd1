import { readState } from '../core/state/store.ts'
import { MISUSED, type Command } from './command.ts'
import { withDatabase } from './with-database.ts'

/** One line a table: rows, bytes, rows that wait for the next purge, and what bounds it. */
export const state: Command = async (args, env) => {
  if (args.length > 0) return MISUSED
  return await withDatabase(env, async ({ db, config }) => {
    process.stdout.write(['table', 'rows', 'bytes', 'overdue', 'bound'].join('\t') + '\n')
    for (const { table, rows, exact, bytes, bound, allowed, overdue } of await readState(db, config)) {
      process.stdout.write([table, exact ? rows : `~${rows}`, bytes, overdue ?? '-', allowed === null ? bound : `${bound} (at most ${allowed})`].join('\t') + '\n')
    }
    return 0
  })
}
