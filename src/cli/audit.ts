import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { showEvent } from '../core/audit/show.ts'
import { listEvents, type RecordedEvent } from '../core/audit/store.ts'
import { findForSignIn } from '../core/users/store.ts'
import type { Db } from '../db/client.ts'
import { StartError } from '../errors.ts'
import { canonicalEmail } from '../lib/email-address.ts'
import { isUuid } from '../lib/ids.ts'
import { MISUSED, type Command } from './command.ts'
import { withDatabase } from './with-database.ts'

const PAGE = 1_000

/** One line of JSON an event, oldest first, a page at a time: it takes as much memory for a year as for a day. */
export const audit: Command = async ([what, ...rest], env) => {
  const given = options(rest)
  if (what !== 'export' || !given) return MISUSED
  const [since, until] = [instant(given.since), instant(given.until)]
  return await withDatabase(env, async ({ db, clock }) => {
    const userId = given.user === undefined ? undefined : await idOf(db, given.user)
    // What happens from now on is for the next export: this one ends.
    const end = until ?? new Date(clock.now())
    let page: RecordedEvent[] = []
    do {
      page = await listEvents(db, { after: page.at(-1)?.id, limit: PAGE, userId, since, until: end })
      await print(page.map(event => `${JSON.stringify(showEvent(event))}\n`).join(''))
    } while (page.length === PAGE)
    return 0
  })
}

function options (args: string[]): { since?: string, until?: string, user?: string } | null {
  try {
    return parseArgs({ args, options: { since: { type: 'string' }, until: { type: 'string' }, user: { type: 'string' } } }).values
  } catch { return null }
}

function instant (text: string | undefined): Date | undefined {
  if (text === undefined) return undefined
  const date = new Date(text)
  if (!/^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text) || Number.isNaN(date.getTime())) throw new StartError(`"${text}" is no time; write 2026-11-24 or 2026-11-24T10:00:00Z.`)
  return date
}

/** An account that is gone has no address any more, but its id. */
async function idOf (db: Db, user: string): Promise<string> {
  if (isUuid(user)) return user
  const found = await findForSignIn(db, canonicalEmail(user) ?? '')
  if (!found) throw new StartError(`There is no account with the address ${user}.`)
  return found.id
}

/** No faster than it is read. */
async function print (text: string): Promise<void> {
  if (text !== '' && !process.stdout.write(text)) await once(process.stdout, 'drain')
}
