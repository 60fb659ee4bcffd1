import { Client } from './client.ts'
import { startCluster, type Cluster, type ClusterOptions } from './cluster.ts'
import type { Endings } from './endings.ts'
import { History } from './history.ts'
import { judge } from './judge.ts'
import { settleIn, startLoad } from './load.ts'
import { startObserver, type Observer, type Staleness } from './observer.ts'
import { seeded, type Random } from './random.ts'
import { Tally } from './tally.ts'
import type { World } from './users.ts'

export type Setting = { short: boolean, seed: number, endings: Endings, say: (line: string) => void }
export type Outcome = { tally: Tally, staleness: Staleness | null, notes: Record<string, string | number>, broken: string[] }
export type Variant = {
  /** What happens, and what must hold. A sentence for docs/proof.md. */
  what: string
  /** Nodes and verifiers must refuse what ended within the promised times. Not where the database itself is away. */
  promptly?: boolean
  run: (setting: Setting) => Promise<Outcome>
}

export type Scene = { setting: Setting, cluster: Cluster, world: World, observer: Observer, random: Random, notes: Outcome['notes'], broken: string[] }
type Plan = ClusterOptions & {
  observer?: Parameters<typeof startObserver>[2]
  perSecond?: number
  obeyedWithinMs?: number
  /** What happens while the load is on; it ends with everything up again. */
  chaos: (scene: Scene) => Promise<void>
}

const USERS_AT_FIRST = { short: 16, long: 32 }
const SESSIONS_IN_USE = 600
/** The gate runs on whatever machine there is, which may be a slow one: what is asked there is what must hold, not how much it carries. */
const SHORT_PER_SECOND = 100

/** Three nodes, the load, what goes wrong meanwhile, and the judgement afterwards. */
export async function underLoad (setting: Setting, { chaos, observer: watching, perSecond, obeyedWithinMs = 3_000, ...options }: Plan): Promise<Outcome> {
  const { endings, seed, say } = setting
  const cluster = await startCluster(endings, options)
  const observer = await startObserver(endings, cluster, watching)
  const [tally, random] = [new Tally(), seeded(seed)]
  const world: World = { client: new Client(cluster.url, tally), tally, history: new History(SESSIONS_IN_USE), random, obeyedWithinMs, onEnded: ended => observer.watch(ended) }
  const scene: Scene = { setting, cluster, world, observer, random, notes: {}, broken: [] }
  await settleIn(world, setting.short ? USERS_AT_FIRST.short : USERS_AT_FIRST.long)
  say('the load begins')
  const load = startLoad(world, perSecond ?? (setting.short ? SHORT_PER_SECOND : undefined))
  try { await chaos(scene) } finally { await load.stop() }
  say(`${tally.total} requests; now what was acknowledged is held against what is`)
  await observer.settled()
  await judge({ ...world, client: new Client(cluster.url, new Uncounted(tally)) }).then(({ continued, stayedEnded, accounts }) => {
    Object.assign(scene.notes, { 'sessions that continued at the end': continued, 'endings that stood at the end': stayedEnded, 'accounts that were there at the end': accounts })
  })
  Object.assign(scene.notes, load.notes())
  return { tally, staleness: observer.staleness, notes: scene.notes, broken: scene.broken }
}

/** The judge's own requests are no part of the load; what they find is. */
class Uncounted extends Tally {
  readonly #tally: Tally
  constructor (tally: Tally) { super(); this.#tally = tally }
  override fault (...found: Parameters<Tally['fault']>): void { this.#tally.fault(...found) }
}
