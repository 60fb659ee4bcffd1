import type { Config } from '../config.ts'
import { openDatabase, type Db } from '../db/client.ts'
import { settle } from '../dev-settings.ts'
import { createLog } from '../log.ts'
import { configFrom } from './settings.ts'

/** For commands that do one thing on the database. An embedded one that the service is using is shared, not stopped. */
export async function withDatabase<T> (env: Readonly<Record<string, string | undefined>>, work: (deps: { db: Db, config: Config, databaseUrl: string }) => Promise<T>): Promise<T> {
  const config = configFrom(env)
  const settled = await settle(config, { share: true })
  const { db, close } = openDatabase(settled.databaseUrl, { log: createLog(config) })
  try {
    return await work({ db, config, databaseUrl: settled.databaseUrl })
  } finally {
    await close()
    await settled.stop()
  }
}
