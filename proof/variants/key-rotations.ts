import { setTimeout as sleep } from 'node:timers/promises'
import { decodeProtectedHeader } from 'jose'
import { cli } from '../../test/helpers/cli.ts'
import { underLoad, type Scene, type Variant } from '../harness/variant.ts'

const ROTATIONS = { short: 2, long: 10 }
const OUTSIDE = 3
/** Of the tokens that the load is issued so many are shown to all verifiers at once; the next one only when they have judged. */
const AT_ONCE = 4

export const keyRotations: Variant = {
  what: 'The signing key changes ten times in ten minutes, and in the middle one is revoked as leaked. Nobody refuses a good token at any time: neither nodes, nor the SDK, nor verifiers that cache the JWKS exactly as long as it says. What the leaked key signed is refused within 2 s.',
  promptly: true,
  run: async setting => {
    const [slot, maxAge] = setting.short ? [8, 2] : [60, 10]
    return await underLoad(setting, {
      env: { KEY_SLOT_SECONDS: String(slot), JWKS_MAX_AGE_SECONDS: String(maxAge) },
      observer: { outside: OUTSIDE },
      perSecond: setting.short ? 100 : 50,
      prepare: showEverybody,
      chaos: async ({ world, cluster, observer, notes, broken }) => {
        const rotations = setting.short ? ROTATIONS.short : ROTATIONS.long
        const kids = new Set<string>()
        const latest: string[] = []
        const shown = world.onToken
        world.onToken = token => { shown?.(token); kids.add(kidOf(token)); latest.push(token); if (latest.length > 20) latest.shift() }
        await sleep(rotations / 2 * slot * 1000 + 1_500)
        const leaked = kidOf(latest.at(-1)!)
        world.excuses = token => kidOf(token) === leaked
        const requestedAt = performance.timeOrigin + performance.now()
        const { code, stderr } = await cli(setting.endings, ['keys', 'revoke', leaked], cluster.env)
        if (code !== 0) broken.push(`keys revoke ended with ${code}: ${stderr}`)
        const at = performance.timeOrigin + performance.now()
        const theirs = latest.filter(token => kidOf(token) === leaked)
        for (const token of theirs) observer.watch({ token, servedBy: 'the command line', requestedAt, at })
        notes['tokens of the leaked key that were watched'] = theirs.length
        await sleep(rotations / 2 * slot * 1000 + 1_500)
        // The revoked key's place was taken by the next one's: that is no rotation.
        notes['signing keys seen'] = kids.size
        if (kids.size < rotations + 1) broken.push(`only ${kids.size} signing keys were seen`)
      },
    })
  },
}

/** Tokens of the load go to all verifiers when they are new, and once more when the keys have changed. */
async function showEverybody ({ setting, world, observer, notes, broken }: Scene): Promise<void> {
  let [busy, judged] = [0, 0]
  const show = async (token: string, when: string) => {
    judged++
    for (const { who, says } of await observer.ask(token)) {
      if (says === 'good' || says === 'revoked' || world.excuses?.(token)) continue
      broken.push(`${who} refused a good token, ${when}: ${says}`)
      broken.splice(8)
    }
    notes['tokens shown to all verifiers'] = judged
  }
  world.onToken = token => {
    if (busy >= AT_ONCE) return
    busy++
    show(token, 'new').finally(() => { busy-- })
    if (judged % 8 === 0) setTimeout(() => { show(token, 'after a change of keys') }, setting.short ? 9_000 : 45_000).unref()
  }
}

const kidOf = (token: string): string => String(decodeProtectedHeader(token).kid)
