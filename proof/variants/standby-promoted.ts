import { setTimeout as sleep } from 'node:timers/promises'
import { databaseLink } from '../../test/helpers/database-link.ts'
import { ownPostgres } from '../../test/helpers/own-postgres.ts'
import { startStandby } from '../harness/standby.ts'
import { underLoad, type Variant } from '../harness/variant.ts'

export const standbyPromoted: Variant = {
  what: '`kill -9` to the primary under load; its synchronous standby is promoted, and the nodes\' address of the database leads there.',
  run: async setting => {
    const primary = await ownPostgres(setting.endings)
    const standby = await startStandby(setting.endings, primary)
    const link = await databaseLink(setting.endings, primary.url)
    return await underLoad(setting, {
      postgres: primary,
      obeyedWithinMs: 10_000,
      envOf: () => ({ DATABASE_URL: link.url }),
      chaos: async ({ notes }) => {
        await sleep(setting.short ? 5_000 : 30_000)
        const began = performance.now()
        await primary.stop('SIGKILL')
        await standby.promote()
        link.move(standby.url)
        notes['from the kill to the new primary, ms'] = Math.round(performance.now() - began)
        await sleep(setting.short ? 5_000 : 30_000)
      },
    })
  },
}
