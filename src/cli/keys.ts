import { loadKeys } from '../core/keys/store.ts'
import { MISUSED, type Command } from './command.ts'
import { withDatabase } from './with-database.ts'

const TEN_YEARS = 10 * 365 * 86_400

/** One line a key, public facts only. */
export const keys: Command = async ([what], env) => {
  if (what !== 'list') return MISUSED
  return await withDatabase(env, async ({ db, config }) => {
    const { rows, now } = await loadKeys(db, TEN_YEARS, config.keySlotSeconds)
    for (const { use, kid, alg, slot, rev, compromised } of rows) {
      const from = slot * config.keySlotSeconds
      const state = compromised ? 'compromised' : from > now ? 'next' : from + config.keySlotSeconds > now ? 'current' : 'past'
      process.stdout.write([use, kid, alg, new Date(from * 1000).toISOString().slice(0, 10), `rev ${rev}`, state].join('\t') + '\n')
    }
    return 0
  })
}
