import { setTimeout as sleep } from 'node:timers/promises'
import { underLoad, type Variant } from '../harness/variant.ts'

export const rollingSigterm: Variant = {
  what: '20 restarts by SIGTERM, one node after the other. No request fails, not even one that could be sent again.',
  promptly: true,
  run: async setting => await underLoad(setting, {
    chaos: async ({ cluster: { places }, world: { tally }, notes, broken }) => {
      const restarts = setting.short ? 3 : 20
      for (let restart = 0; restart < restarts; restart++) {
        const place = places[restart % places.length]!
        const ended = await place.stop('SIGTERM')
        if (ended !== 0) broken.push(`${place.name} ended with ${ended}`)
        await place.start()
        await sleep(1_500) // until the balancer has noticed
      }
      notes['restarts'] = restarts
      // That all hashing is busy says that the machine has too few processors for load and starting nodes; it is counted, and not held against the restart.
      const failed = tally.failedFirst - (tally.firstTryFailures.get('503 login_busy') ?? 0)
      if (failed > 0) broken.push(`failed requests: ${failed}, must be 0`)
    },
  }),
}
