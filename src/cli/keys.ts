import { rotateSigningKey } from '../core/keys/rotate.ts'
import { keyStates } from '../core/keys/schedule.ts'
import { COMMAND_LINE } from '../core/audit/events.ts'
import { compromiseKey, loadKeys } from '../core/keys/store.ts'
import { StartError } from '../errors.ts'
import { MISUSED, type Command, type Environment } from './command.ts'
import { withDatabase } from './with-database.ts'

const TEN_YEARS = 10 * 365 * 86_400

export const keys: Command = async ([what, kid], env) => {
  if (what === 'list') return await list(env)
  if (what === 'rotate' && kid === undefined) return await rotate(env)
  if (what === 'revoke' && kid !== undefined) return await revoke(kid, env)
  return MISUSED
}

/** One line a key, public facts only. */
const list = async (env: Environment): Promise<number> => await withDatabase(env, async ({ db, config }) => {
  const { rows, now } = await loadKeys(db, TEN_YEARS, config.keySlotSeconds)
  for (const { key: { use, kid, alg, slot, rev }, state } of keyStates(rows.map(row => ({ ...row, createdAt: row.created_at })), now, config)) {
    process.stdout.write([use, kid, alg, new Date(slot * config.keySlotSeconds * 1000).toISOString().slice(0, 10), `rev ${rev}`, state].join('\t') + '\n')
  }
  return 0
})

/** Planned: nobody who verifies notices. */
const rotate = async (env: Environment): Promise<number> => await withDatabase(env, async ({ config, ...deps }) => {
  const { kid, signsFrom } = await rotateSigningKey({ ...deps, settings: { ...config, keyEncryptionKey: deps.keyEncryptionKey } }, COMMAND_LINE)
  process.stdout.write(`${kid} is published, and signs from ${new Date(signsFrom * 1000).toISOString()}\n`)
  return 0
})

/** For a key that may have leaked. What it signed is refused by every node within a second; it never comes back. */
const revoke = async (kid: string, env: Environment): Promise<number> => await withDatabase(env, async deps => {
  if (!await compromiseKey(deps, kid, COMMAND_LINE)) throw new StartError(`There is no key "${kid}"; \`keys list\` shows them.`)
  process.stdout.write(`revoked ${kid}; nodes sign with another key from now on\n`)
  return 0
})
