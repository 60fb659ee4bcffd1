import { setTimeout as sleep } from 'node:timers/promises'
import { databaseLink, type DatabaseLink } from '../../test/helpers/database-link.ts'
import { send } from '../../test/helpers/processes.ts'
import { until } from '../../test/helpers/until.ts'
import { signIn, signUp } from '../harness/users.ts'
import { underLoad, type Scene, type Variant } from '../harness/variant.ts'

/** Then it must have heard of what ended meanwhile. */
const SETTLING_MS = 3_000

export const cutOff: Variant = {
  what: 'One node loses PostgreSQL for 60 s, once because the network swallows everything and once because connections are refused. It verifies on, says how stale it is, and answers 503 to the rest; afterwards it knows what ended.',
  run: async setting => {
    let link: DatabaseLink
    const outcome = await underLoad(setting, {
      // Endings reach the node only when it is back: their tokens must live so long.
      env: { ACCESS_TOKEN_TTL_SECONDS: '300' },
      observer: { patienceMs: 150_000 },
      envOf: async (index, url) => index === 0 ? { DATABASE_URL: (link = await databaseLink(setting.endings, url)).url } : {},
      chaos: async scene => {
        await sleep(2_000)
        await cut(scene, 'swallowing', () => link.swallow(), async () => await link.mend())
        await cut(scene, 'refusing', async () => await link.cut(), async () => await link.mend())
      },
    })
    // What could not hear is told apart from what could.
    const deaf = outcome.staleness!.nodes.get('n1')!
    outcome.staleness!.nodes.delete('n1')
    outcome.notes['staleness at the node that was cut off, max ms'] = Math.round(Math.max(...deaf))
    return outcome
  },
}

async function cut ({ setting, cluster: { places }, world, notes, broken }: Scene, how: string, take: () => unknown, give: () => Promise<void>): Promise<void> {
  const { url, name } = places[0]!
  const seconds = setting.short ? 8 : 60
  const say = (what: string) => { broken.push(`${name}, ${how}: ${what}`) }
  // Nobody else uses this one: what is asked here must not race with its owner.
  const user = await signUp(world)
  const session = user && await signIn(world, user, 'app')
  if (!session) { say('nobody could sign in before it'); return }
  world.history.drop(session)
  world.deaf = node => node === name
  await take()
  const end = performance.now() + seconds * 1000
  await until(async () => (await send(url, 'GET', '/readyz')).json.database === 'away', 8_000).catch(() => say('/readyz does not say that the database is away'))
  while (performance.now() < end) {
    const [verified, refreshed, ready] = await Promise.all([
      send(url, 'GET', '/v1/auth/verify', { bearer: session.tabs[0]!.accessToken }),
      send(url, 'POST', '/v1/auth/refresh', { body: { refresh_token: session.refreshToken } }),
      send(url, 'GET', '/readyz'),
    ])
    if (verified.status !== 200 && session.endRequestedAt === Infinity) say(`verify answered ${verified.status}`)
    if (refreshed.status !== 503 || !refreshed.headers.has('retry-after')) say(`refresh answered ${refreshed.status}`)
    if (ready.status !== 200) say(`/readyz answered ${ready.status}`)
    await sleep(500)
  }
  const behind = Date.now() / 1000 - (await send(url, 'GET', '/v1/revocations')).json.as_of
  notes[`says itself that it is behind, ${how}, s`] = Math.round(behind)
  if (behind < seconds - 3) say(`its feed says that it is ${behind.toFixed(1)} s behind`)
  await give()
  await until(async () => (await send(url, 'GET', '/readyz/full')).status === 200, 10_000).catch(() => say('it did not come back'))
  await sleep(SETTLING_MS)
  delete world.deaf
}
