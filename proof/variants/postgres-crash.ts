import { setTimeout as sleep } from 'node:timers/promises'
import { underLoad, type Variant } from '../harness/variant.ts'

export const postgresCrash: Variant = {
  what: 'PostgreSQL is stopped with `-m immediate`, as a crash, and started again, ten times. Verification goes on, the rest says when to come again.',
  run: async setting => await underLoad(setting, {
    obeyedWithinMs: 10_000, // nobody hears of anything while the database is away
    chaos: async ({ cluster: { postgres }, random, notes }) => {
      const [crashes, pauseMs] = setting.short ? [2, 2_500] : [10, 8_000]
      for (let crash = 0; crash < crashes; crash++) {
        await sleep(pauseMs)
        await postgres.stop('SIGQUIT')
        await sleep(random() * 1_500)
        await postgres.start()
      }
      await sleep(pauseMs)
      notes['crashes'] = crashes
    },
  }),
}
