import { setTimeout as sleep } from 'node:timers/promises'
import { underLoad, type Variant } from '../harness/variant.ts'

const EVERY_MS = 5_000

/** The main proof: nodes die in the middle of whatever they are doing. */
export const killNodes: Variant = {
  what: '`kill -9` to a random node every 5 s, which starts again 1 to 2 s later.',
  promptly: true,
  run: async setting => await underLoad(setting, {
    chaos: async ({ cluster: { places }, random, notes }) => {
      const until = performance.now() + (setting.short ? 20_000 : 120_000)
      const starting = new Set<Promise<void>>()
      const down = new Set<string>()
      let kills = 0
      while (performance.now() + EVERY_MS <= until) {
        await sleep(EVERY_MS)
        const place = random.pick(places.filter(({ name }) => !down.has(name)))!
        await place.stop('SIGKILL')
        kills++
        down.add(place.name)
        const start: Promise<void> = sleep(1_000 + random() * 1_000).then(() => place.start()).then(() => { down.delete(place.name); starting.delete(start) })
        starting.add(start)
      }
      await Promise.all(starting)
      notes['nodes killed'] = kills
    },
  }),
}
