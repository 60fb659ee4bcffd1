import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Cluster } from './cluster.ts'
import type { Endings } from './endings.ts'

/** An acknowledged ending: a token that it ended, the node that acknowledged it, and when (milliseconds since the epoch). */
export type Ended = { token: string, servedBy: string, at: number }
export type Question = { id: number, ended?: Ended, token?: string }
export type Reply = { id: number, nodes?: { name: string, took: number | string }[], sdk?: number | string }

/** Milliseconds from the acknowledgement. `accepted`: who took the token to the last. `unseen`: it expired, or nobody answered, before anything could be said. */
export type Staleness = { nodes: number[], sdk: number[], unseen: string[], accepted: string[] }

export type Observer = {
  watch: (ended: Ended) => void
  /** What the verifier says of a token: `good`, or the code of its refusal. */
  ask: (token: string) => Promise<string>
  staleness: Staleness
  /** Until every ending that is being watched was refused everywhere. */
  settled: () => Promise<void>
}

/** Another service, in a process of its own: it verifies with the SDK, and watches how soon every node refuses what ended. */
export async function startObserver ({ teardown }: Endings, { url, places }: Pick<Cluster, 'url' | 'places'>, { follows = true } = {}): Promise<Observer> {
  const child: ChildProcess = fork(fileURLToPath(new URL('observe.ts', import.meta.url)), [JSON.stringify({ issuer: url, follows, nodes: places.map(({ name, url }) => ({ name, url })) })], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  teardown(() => { child.kill('SIGKILL') })
  await once(child, 'message')

  const staleness: Staleness = { nodes: [], sdk: [], unseen: [], accepted: [] }
  const waiting = new Map<number, (reply: Reply) => void>()
  let ids = 0
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
        const told = (who: string, took: number | string | undefined, into: number[]) => {
          if (typeof took === 'number') into.push(took)
          else if (took === 'good') staleness.accepted.push(who)
          else staleness.unseen.push(`${who}: ${took}`)
        }
        for (const { name, took } of nodes) told(name, took, staleness.nodes)
        told('the SDK verifier', sdk, staleness.sdk)
      })
    },
    ask: async token => String((await put({ token })).sdk),
    settled: async () => {
      for (const end = performance.now() + 90_000; waiting.size > 0 && performance.now() < end;) await new Promise(resolve => setTimeout(resolve, 50))
    },
  }
}
