import { revokeEverything } from '../core/keys/store.ts'
import { MISUSED, type Command } from './command.ts'
import { withDatabase } from './with-database.ts'

/** The breach button: everybody signs in again. */
export const sessions: Command = async ([what], env) => {
  if (what !== 'revoke-all') return MISUSED
  return await withDatabase(env, async ({ db }) => {
    await revokeEverything(db)
    process.stdout.write('every session has ended\n')
    return 0
  })
}
