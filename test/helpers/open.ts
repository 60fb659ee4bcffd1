import type { Db } from '../../src/db/client.ts'
import { openDatabase } from '../../src/db/client.ts'
import { createLog } from '../../src/log.ts'

type Teardown = { teardown: (work: () => unknown) => void }

export const silent = createLog({ logLevel: 'silent' })

/** The service's own connection to a test's database. */
export function open (t: Teardown, url: string): Db {
  const { db, close } = openDatabase(url, { log: silent })
  t.teardown(close)
  return db
}
