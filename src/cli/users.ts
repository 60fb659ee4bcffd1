import { parseArgs } from 'node:util'
import { endSessionsOf, findForSignIn } from '../core/users/store.ts'
import { openDatabase } from '../db/client.ts'
import { settle } from '../dev-settings.ts'
import { StartError } from '../errors.ts'
import { canonicalEmail } from '../lib/email-address.ts'
import { createLog } from '../log.ts'
import { usage, type Command } from './run.ts'
import { configFrom } from './settings.ts'

/** `disable` closes an account and ends its sessions, in one statement. */
export const users: Command = async ([what, ...rest], env) => {
  const { values: { email: given } } = parseArgs({ args: rest, options: { email: { type: 'string' } }, strict: false })
  if (what !== 'disable' || typeof given !== 'string') { process.stderr.write(usage); return 2 }
  const config = configFrom(env)
  const settled = await settle(config)
  const { db, close } = openDatabase(settled.databaseUrl, { log: createLog(config) })
  try {
    const user = await findForSignIn(db, canonicalEmail(given) ?? '')
    if (!user) throw new StartError(`There is no account with the address ${given}.`)
    await endSessionsOf(db, user.id, { disable: true })
    process.stdout.write(`disabled ${user.email}; its sessions have ended\n`)
    return 0
  } finally {
    await close()
    await settled.stop()
  }
}
