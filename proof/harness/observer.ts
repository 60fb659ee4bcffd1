import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Cluster } from './cluster.ts'
import type { Endings } from './endings.ts'

/** An acknowledged ending: a token that it ended, the node that acknowledged it, when it was asked for, and when acknowledged (milliseconds since the epoch). */
export type Ended = { token: string, servedBy: string, requestedAt: number, at: number }
export type Question = { id: number, ended?: Ended, token?: string }
export type Reply = { id: number, nodes?: { name: string, took: number | string }[], sdk?: number | string, outside?: string[] }
export type Setup = { issuer: string, nodes: { name: string, url: string }[], patienceMs: number, outside: number }

/** Milliseconds from the acknowledgement. `accepted`: who took the token to the last. `unseen`: it expired, or nobody answered, before anything could be said. */
export type Staleness = { nodes: Map<string, number[]>, sdk: number[], unseen: string[], accepted: string[] }

export type Observer = {
  watch: (ended: Ended) => void
  /** What each verifier says of a token: `good`, or why not. */
  ask: (token: string) => Promise<{ who: string, says: string }[]>
  /** Endings that were asked for until now may never be heard of: they are watched no longer. */
  forget: () => void
  staleness: Staleness
  /** Until every ending that is being watched was refused everywhere. */
  settled: () => Promise<void>
}

/** Another service, in a process of its own: it verifies with the SDK, and watches how soon every node refuses what ended. */
/**
 * @param options.patienceMs how long a token that should be refused is watched; less than its life
 * @param options.outside so many verifiers that know nothing but the JWKS, and cache it exactly as long as it says
 */
export async function startObserver ({ teardown }: Endings, { url, places }: Pick<Cluster, 'url' | 'places'>, { patienceMs = 50_000, outside = 0 } = {}): Promise<Observer> {
  const setup: Setup = { issuer: url, nodes: places.map(({ name, url }) => ({ name, url })), patienceMs, outside }
  const child: ChildProcess = fork(fileURLToPath(new URL('observe.ts', import.meta.url)), [JSON.stringify(setup)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  teardown(() => { child.kill('SIGKILL') })
  await once(child, 'message')

  const staleness: Staleness = { nodes: new Map(places.map(({ name }) => [name, []])), sdk: [], unseen: [], accepted: [] }
  const waiting = new Map<number, (reply: Reply) => void>()
  let ids = 0
  let forgottenAt = -Infinity
  child.on('message', (reply: Reply) => { waiting.get(reply.id)?.(reply); waiting.delete(reply.id) })
  child.on('exit', code => { for (const answer of waiting.values()) answer({ id: 0, sdk: `the observer ended with ${code}` }) })
  const put = async (question: Omit<Question, 'id'>): Promise<Reply> => await new Promise(resolve => {
    const id = ++ids
    waiting.set(id, resolve)
    child.send({ id, ...question })
  })
  return {
    staleness,
    watch: ended => {
      put({ ended }).then(({ nodes = [], sdk }) => {
        if (ended.requestedAt < forgottenAt) return
        const told = (who: string, took: number | string | undefined, into: number[]) => {
          if (typeof took === 'number') into.push(took)
          else if (took === 'good') staleness.accepted.push(who)
          else staleness.unseen.push(`${who}: ${took}`)
        }
        for (const { name, took } of nodes) told(name, took, staleness.nodes.get(name)!)
        told('the SDK verifier', sdk, staleness.sdk)
      })
    },
    ask: async token => {
      const { sdk, outside = [] } = await put({ token })
      return [{ who: 'the SDK verifier', says: String(sdk) }, ...outside.map((says, index) => ({ who: `outside verifier ${index + 1}`, says }))]
    },
    forget: () => {
      forgottenAt = performance.timeOrigin + performance.now()
      for (const answer of waiting.values()) answer({ id: 0 })
      waiting.clear()
    },
    settled: async () => {
      for (const end = performance.now() + 90_000; waiting.size > 0 && performance.now() < end;) await new Promise(resolve => setTimeout(resolve, 50))
    },
  }
}
