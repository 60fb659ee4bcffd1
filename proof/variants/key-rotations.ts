import { setTimeout as sleep } from 'node:timers/promises'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { cli } from '../../test/helpers/cli.ts'
import { underLoad, type Scene, type Variant } from '../harness/variant.ts'

const ROTATIONS = { short: 2, long: 10 }
const OUTSIDE = 3
/** So many tokens at a time are before all verifiers; of what comes meanwhile none is shown. */
const AT_ONCE = 4
const MOST_COMPLAINTS = 8

export const keyRotations: Variant = {
  what: 'The signing key changes ten times in ten minutes, and in the middle one is revoked as leaked. Nobody refuses a good token at any time: neither nodes, nor the SDK, nor verifiers that cache the JWKS exactly as long as it says. What the leaked key signed is refused within 2 s.',
  promptly: true,
  run: async setting => {
    // Shown again after 3/4 of a slot: a token must live that long.
    const [slot, maxAge] = setting.short ? [8, 2] : [60, 10]
    return await underLoad(setting, {
      env: { KEY_SLOT_SECONDS: String(slot), JWKS_MAX_AGE_SECONDS: String(maxAge) },
      observer: { outside: OUTSIDE },
      perSecond: setting.short ? 100 : 50,
      chaos: async scene => {
        const { world, cluster, observer, notes, broken } = scene
        const rotations = setting.short ? ROTATIONS.short : ROTATIONS.long
        const halfMs = rotations / 2 * slot * 1000 + 1_500
        const kids = new Set<string>()
        const latest: string[] = []
        const show = showEverybody(scene, slot * 750)
        world.onToken = token => {
          kids.add(kidOf(token))
          latest.push(token)
          if (latest.length > 20) latest.shift()
          show(token)
        }
        await sleep(halfMs)
        const leaked = kidOf(latest.at(-1)!)
        world.excuses = token => kidOf(token) === leaked
        const requestedAt = performance.timeOrigin + performance.now()
        const { code, stderr } = await cli(setting.endings, ['keys', 'revoke', leaked], cluster.env)
        if (code !== 0) broken.push(`keys revoke ended with ${code}: ${stderr}`)
        const at = performance.timeOrigin + performance.now()
        const theirs = latest.filter(token => kidOf(token) === leaked)
        for (const token of theirs) observer.watch({ token, servedBy: 'the command line', requestedAt, at })
        notes['tokens of the leaked key that were watched'] = theirs.length
        if (theirs.length === 0) broken.push('no token of the leaked key was watched')
        await sleep(halfMs)
        delete world.onToken
        notes['signing keys seen'] = kids.size
        if (kids.size < rotations + 1) broken.push(`only ${kids.size} signing keys were seen`)
      },
    })
  },
}

/** Tokens of the load go to all verifiers when they are new, and some once more when the keys have changed. */
function showEverybody ({ world, observer, notes, broken }: Scene, laterMs: number): (token: string) => void {
  let [busy, shown, shownAgain] = [0, 0, 0]
  const again: { token: string, at: number }[] = []
  const wasEnded = (token: string) => world.history.sessions.some(session => session.endRequestedAt !== Infinity && sidOf(session.refreshToken) === sidOf(token))
  const show = async (token: string, when: string) => {
    notes['tokens shown to all verifiers'] = ++shown
    for (const { who, says } of await observer.ask(token)) {
      if (says === 'good' || world.excuses?.(token) || (says === 'revoked' && wasEnded(token))) continue
      const complaint = `${who} refused a good token of key ${kidOf(token)}, ${when}: ${says}`
      if (broken.length < MOST_COMPLAINTS && !broken.includes(complaint)) broken.push(complaint)
    }
  }
  return token => {
    if (busy >= AT_ONCE) return
    busy++
    again.push({ token, at: performance.now() + laterMs })
    const old = again[0]!.at < performance.now() ? again.shift() : undefined
    // One that came late in its life (a refresh repeated within the grace), or had to wait here, is good no longer.
    const living = old && decodeJwt(old.token).exp! * 1000 > Date.now() + 3_000 ? old : undefined
    if (living) notes['tokens shown again after a change of keys'] = ++shownAgain
    Promise.all([show(token, 'new'), living && show(living.token, 'later')]).finally(() => { busy-- })
  }
}

const kidOf = (token: string): string => String(decodeProtectedHeader(token).kid)
const sidOf = (token: string): unknown => decodeJwt(token)['sid']
