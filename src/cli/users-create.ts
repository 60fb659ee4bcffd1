import { parseArgs } from 'node:util'
import { COMMAND_LINE } from '../core/audit/events.ts'
import { recordEvent } from '../core/audit/store.ts'
import { Keyring } from '../core/keys/keyring.ts'
import { issueResetToken } from '../core/tokens/action-token.ts'
import type { Account } from '../core/users/admin/account.ts'
import { insertAccount } from '../core/users/admin/store.ts'
import { requireClaimsFit, requireRoles } from '../core/users/claims.ts'
import { inTransaction } from '../db/client.ts'
import { AppError, StartError } from '../errors.ts'
import { canonicalEmail } from '../lib/email-address.ts'
import { uuidv7 } from '../lib/ids.ts'
import type { Log } from '../log.ts'
import { MISUSED, type Environment } from './command.ts'
import { withDatabase } from './with-database.ts'

/**
 * An account, also the first administrator's, and a link to set its password: whoever has this shell could do anything with the
 * database, and yet nobody but the owner is to know the password. The address counts as confirmed, on the operator's word.
 */
export async function createUser (args: readonly string[], env: Environment): Promise<number> {
  const given = options(args)
  if (given?.email === undefined) return MISUSED
  const { email: address, name = null, role = [] } = given
  const email = canonicalEmail(address)
  if (email === null) throw new StartError(`"${address}" is not an e-mail address.`)
  if (name !== null && (name === '' || name.length > 200)) throw new StartError('A name has 1 to 200 characters.')
  return await withDatabase(env, async ({ db, log, config, clock, keyEncryptionKey }) => {
    // The first command of an installation makes its keys: not what was asked.
    const keyring = new Keyring({ db, clock, log: log.child({}, { level: 'warn' }) as Log, settings: { ...config, keyEncryptionKey } })
    await keyring.reload()
    const roles = rolesOf(role)
    const account = await inTransaction({ db, clock, config }, async ctx => {
      requireClaimsFit(ctx, { roles, claims: {} })
      const created = await insertAccount(ctx.db, { id: uuidv7(clock.now()), email, emailVerified: true, name, roles, claims: {}, locale: null })
      if (!created) throw new StartError(`There is an account with the address ${email} already.`)
      await recordEvent(ctx, { ...COMMAND_LINE, type: 'account.created', userId: created.id, data: { roles } })
      return created
    })
    process.stdout.write(`created ${account.email}; its password can be set within 30 minutes at\n${linkFor(account)}\n`)
    return 0

    function linkFor ({ id, email, epoch, createdAt }: Account): string {
      const token = issueResetToken({ keyring, config }, { id, email, epoch, passwordHash: null }, createdAt.getTime() / 1000)
      return `${config.appUrl ?? config.publicUrl}/reset-password#token=${token}`
    }
  })
}

function options (args: readonly string[]): { email?: string, name?: string, role?: string[] } | null {
  try {
    return parseArgs({ args: [...args], options: { email: { type: 'string' }, name: { type: 'string' }, role: { type: 'string', multiple: true } } }).values
  } catch { return null }
}

function rolesOf (given: string[]): string[] {
  try { return requireRoles(given) } catch (error) {
    throw error instanceof AppError ? new StartError(`A role ${error.extra.errors![0]!.message}.`) : error
  }
}
