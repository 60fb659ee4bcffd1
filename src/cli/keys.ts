import { loadKeys } from '../core/keys/store.ts'
import { openDatabase } from '../db/client.ts'
import { settle } from '../dev-settings.ts'
import { createLog } from '../log.ts'
import { usage, type Command } from './run.ts'
import { configFrom } from './settings.ts'

/** One line a key, public facts only. */
export const keys: Command = async ([what], env) => {
  if (what !== 'list') { process.stderr.write(usage); return 2 }
  const config = configFrom(env)
  const settled = await settle(config)
  const { db, close } = openDatabase(settled.databaseUrl, { log: createLog(config) })
  try {
    const { rows, now } = await loadKeys(db, 10 * 365 * 86_400, config.keySlotSeconds)
    for (const { use, kid, alg, slot, rev, compromised } of rows) {
      const from = slot * config.keySlotSeconds
      const state = compromised ? 'compromised' : from > now ? 'next' : from + config.keySlotSeconds > now ? 'current' : 'past'
      process.stdout.write([use, kid, alg, `${new Date(from * 1000).toISOString().slice(0, 10)}`, `rev ${rev}`, state].join('\t') + '\n')
    }
    return 0
  } finally {
    await close()
    await settled.stop()
  }
}
