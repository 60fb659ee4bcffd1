import { parseArgs } from 'node:util'
import { COMMAND_LINE } from '../core/audit/events.ts'
import { endSessionsOf, findForSignIn } from '../core/users/store.ts'
import { StartError } from '../errors.ts'
import { canonicalEmail } from '../lib/email-address.ts'
import { MISUSED, type Command } from './command.ts'
import { withDatabase } from './with-database.ts'

/** Closes an account and ends its sessions, in one statement. */
export const disable: Command = async (args, env) => {
  const { values: { email: given } } = parseArgs({ args: [...args], options: { email: { type: 'string' } }, strict: false })
  if (typeof given !== 'string') return MISUSED
  return await withDatabase(env, async ({ db, clock }) => {
    const user = await findForSignIn(db, canonicalEmail(given) ?? '')
    if (!user) throw new StartError(`There is no account with the address ${given}.`)
    await endSessionsOf({ db, clock }, user.id, COMMAND_LINE, { disable: true })
    process.stdout.write(`disabled ${user.email}; its sessions have ended\n`)
    return 0
  })
}
