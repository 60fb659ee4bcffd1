import { COMMAND_LINE } from '../core/audit/events.ts'
import { revokeEverything } from '../core/keys/store.ts'
import { MISUSED, type Command } from './command.ts'
import { withDatabase } from './with-database.ts'

/** The breach button: everybody signs in again. */
export const sessions: Command = async ([what], env) => {
  if (what !== 'revoke-all') return MISUSED
  return await withDatabase(env, async deps => {
    await revokeEverything(deps, COMMAND_LINE)
    process.stdout.write('every session has ended\n')
    return 0
  })
}
