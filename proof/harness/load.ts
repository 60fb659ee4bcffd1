import { setTimeout as sleep } from 'node:timers/promises'
import type { Session } from './history.ts'
import { logout, logoutAll, refresh, signIn, signUp, verify, type World } from './users.ts'

const PER_SECOND = 200
/** Shares of the arrivals; the writes are 5 % together. */
const MIX: readonly [share: number, what: (world: World) => Promise<unknown>][] = [
  [0.70, verifySomething], [0.15, refreshSomething], [0.10, signInSomebody], [0.025, signUp], [0.015, logoutSomething], [0.010, logoutSomebody],
]
/** Arrivals do not wait for answers. If so many do, the machine cannot carry the load, and the run means nothing. */
const MOST_IN_FLIGHT = 3_000

export type Load = { stop: () => Promise<void>, notes: () => Record<string, number> }

/** Open loop: requests come when they come, whether the last one was answered or not. */
export function startLoad (world: World, perSecond = PER_SECOND): Load {
  const done = new AbortController()
  const began = performance.now()
  const underWay = new Set<Promise<unknown>>()
  let [due, worstLag, seconds] = [0, 0, 0]
  let fault: Error | undefined
  const launch = () => {
    let at = world.random()
    const [, what] = MIX.find(([share]) => (at -= share) < 0) ?? MIX[0]!
    const work: Promise<unknown> = what(world).catch((error: Error) => { fault ??= error }).finally(() => underWay.delete(work))
    underWay.add(work)
  }
  const running = (async () => {
    while (!done.signal.aborted && !fault) {
      const elapsed = performance.now() - began
      if (due * 1000 / perSecond <= elapsed) worstLag = Math.max(worstLag, elapsed - due * 1000 / perSecond)
      for (; due * 1000 / perSecond <= elapsed; due++) launch()
      if (world.client.inFlight > MOST_IN_FLIGHT) fault = new Error(`${world.client.inFlight} requests wait for an answer: this machine cannot carry the load`)
      await sleep(4)
    }
  })()
  return {
    stop: async () => {
      done.abort()
      seconds = (performance.now() - began) / 1000
      await running
      await Promise.all(underWay)
      if (fault) throw fault
    },
    notes: () => ({ 'arrivals per second': Math.round(due / seconds), 'the generator was late by at most, ms': Math.round(worstLag) }),
  }
}

/** So that there is somebody when the load begins. */
export async function settleIn (world: World, users: number): Promise<void> {
  for (let at = 0; at < users; at += 4) {
    await Promise.all(Array.from({ length: 4 }, async () => {
      const user = await signUp(world)
      if (user) await signIn(world, user, kindOf(world))
    }))
  }
}

/** Every eighth is a browser with ten tabs. */
function kindOf ({ random }: World): 'app' | 'page' | 'tabs' {
  const at = random()
  return at < 0.125 ? 'tabs' : at < 0.5 ? 'page' : 'app'
}

async function signInSomebody (world: World): Promise<void> {
  const { random, history } = world
  const user = random.pick(history.users)
  if (user && !user.endingAll) await signIn(world, user, kindOf(world))
}

async function verifySomething (world: World): Promise<void> {
  const { random, history } = world
  // Now and then a token that was ended: no node may have forgotten that.
  const from = random() < 0.02 ? history.sessions : history.inUse
  for (let attempt = 0; attempt < 20; attempt++) {
    const session = random.pick(from)
    const tab = session && random.pick(session.tabs)
    if (tab && tab.expiresAt > performance.now()) return await verify(world, session, tab)
  }
}

const debt = new WeakMap<World, number>()
/** Whatever a browser's tabs do counts: a refresh of ten tabs is ten requests of the mix. */
async function refreshSomething (world: World): Promise<void> {
  const owed = debt.get(world) ?? 0
  if (owed > 0) { debt.set(world, owed - 1); return }
  const { random, history } = world
  const session = history.nextToRefresh()
  if (!session) return
  const { tabs } = session
  if (tabs.length === 1) return await refresh(world, session, tabs[0]!)
  // Tabs have no common clock: they wake up together, or one shortly after the other.
  const staggerMs = random() < 0.5 ? 0 : random.below(40)
  debt.set(world, tabs.length - 1)
  await Promise.all(tabs.map(async (tab, index) => {
    await sleep(index * staggerMs)
    if (!session.over) await refresh(world, session, tab)
  }))
}

const usable = ({ endRequestedAt, over }: Session): boolean => endRequestedAt === Infinity && !over

async function logoutSomething (world: World): Promise<void> {
  const session = world.random.pick(world.history.inUse)
  if (session && usable(session)) await logout(world, session)
}

async function logoutSomebody (world: World): Promise<void> {
  const session = world.random.pick(world.history.inUse)
  if (session && usable(session)) await logoutAll(world, session)
}
