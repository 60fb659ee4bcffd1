import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Place } from '../harness/cluster.ts'
import { previousRelease } from '../harness/previous.ts'
import { underLoad, type Variant } from '../harness/variant.ts'

/** Until the balancer has noticed. */
const NOTICED_MS = 1_500

export const rollingUpgrade: Variant = {
  what: 'An upgrade under load and back again: nodes of the release before, the migrations of this one, then node after node of this release, and of the one before again. No request fails on the way, not even one that could be sent again.',
  promptly: true,
  run: async setting => {
    const before = await previousRelease()
    return await underLoad(setting, {
      main: before,
      // Six starts cost what a small machine has: what is asked in the short form is what must hold, not how much it carries.
      ...(setting.short && { perSecond: 40 }),
      env: { DRAIN_SECONDS: setting.short ? '2' : '3' },
      chaos: async ({ cluster: { places, postgres, env }, world: { tally }, setting: { short, say }, notes, broken }) => {
        const soakMs = short ? NOTICED_MS : 15_000
        const replace = async (place: Place, main: string | undefined) => {
          const ended = await place.stop('SIGTERM')
          if (ended !== 0) broken.push(`${place.name} ended with ${ended}`)
          await place.start(main)
          await sleep(soakMs)
        }
        await sleep(soakMs)
        // As a deployment does it: apart from the nodes, while those of the release before serve.
        const { stdout } = await promisify(execFile)(process.execPath, ['src/cli/main.ts', 'migrate', 'up'], { env: { PATH: process.env['PATH'], ...env, DATABASE_URL: postgres.url } })
        const applied = stdout.match(/^applied /gm)?.length ?? 0
        if (applied === 0) broken.push('nothing was migrated: the release before is not one that tells anything')
        notes['migrations applied while the release before served'] = applied
        say(`${applied} migrations applied`)
        await sleep(soakMs)
        for (const place of places) await replace(place, undefined)
        say('all nodes are of this release')
        for (const place of places) await replace(place, before)
        say('all nodes are of the release before')
        notes['nodes replaced'] = 2 * places.length
        const failed = tally.failedFirst - (tally.firstTryFailures.get('503 login_busy') ?? 0)
        if (failed > 0) broken.push(`failed requests: ${failed}, must be 0`)
      },
    })
  },
}
