import { setTimeout as sleep } from 'node:timers/promises'
import { sqlTo } from '../../test/helpers/database.ts'
import { underLoad, type Variant } from '../harness/variant.ts'

/** The five of the design; those that exist in this release are emptied. */
const SECURITY_TABLES = ['refresh_spent', 'revocation', 'used_token', 'rate_limit', 'idempotency']

export const truncate: Variant = {
  what: '`TRUNCATE` of the security tables, again and again. Nobody is signed out; what had been signed out before may be accepted again, as documented, but not by who was signed out everywhere.',
  run: async setting => await underLoad(setting, {
    chaos: async ({ cluster, world: { history }, observer, notes }) => {
      const sql = await sqlTo(setting.endings, cluster.postgres.url)
      const tables = (await sql<{ name: string }>('SELECT relname AS name FROM pg_class WHERE relkind = \'r\' AND relname = ANY ($1)', [SECURITY_TABLES])).map(({ name }) => name)
      const [times, pauseMs] = setting.short ? [3, 2_000] : [15, 5_000]
      for (let time = 0; time < times; time++) {
        await sleep(pauseMs)
        await sql(`TRUNCATE ${tables.join(', ')}`)
        for (const session of history.sessions) if (session.endRequestedAt !== Infinity) session.forgotten = true
        observer.forget()
      }
      await sleep(pauseMs)
      notes['emptied'] = `${times} times: ${tables.join(', ')}`
    },
  }),
}
