import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { createVerifier } from '../src/sdk/verifier/index.ts'
import { databaseNamed, onServer } from '../test/setup/database.ts'
import { against, byItself } from './judge.ts'
import { load, row, type Benchmark, type Load, type Row, type Setting } from './measure.ts'
import { pathOf, post, signIns, startService, verifications, type Server, type SignedIn } from './processes.ts'

const NAME = 'bench_feed'
const GOALS = { entries: { atLeast: 0.95 }, node: { atMost: 1_000 }, verifier: { atMost: 2_000 } }

/**
 * What endings and their followers cost, and how soon an ending is known: 10,000 living entries and 1,000 streams on one
 * node. Compared are a node that has neither, one that has the entries, and that one again with the streams.
 */
export const feed: Benchmark = async setting => {
  const [tokens, entries, streams, endings, rounds, seconds] = setting.smoke ? [3, 500, 40, 3, 1, 1] : setting.long ? [20, 10_000, 1_000, 300, 5, 3] : [20, 10_000, 1_000, 30, 5, 1]
  await onServer(setting.databaseUrl, async client => { await client.query(`CREATE DATABASE ${NAME}`) })
  const quiet = await startService(setting)
  const busy = { ...setting, databaseUrl: databaseNamed(setting.databaseUrl, NAME) }
  // The issuer is where the verifier looks: the node under load.
  const here = await startService(busy, { env: { PUBLIC_URL: 'http://localhost:3000' } })
  const node = await startService(busy, { env: { PUBLIC_URL: 'http://localhost:3000' } })
  const subjects = { quiet: await signIns(quiet.url, tokens), node: await signIns(here.url, tokens) }
  await onServer(busy.databaseUrl, async client => {
    // Sessions, users and single tokens: every kind is looked up in every verification.
    await client.query(`INSERT INTO revocation (kind, id, val, expires_at) SELECT (array['s','u','j'])[1 + g % 3]::"char", substring(sha256(convert_to(g::text, 'UTF8')) for 12), 2, now() + interval '1 hour' FROM generate_series(1, ${entries}) g`)
  })
  await sleep(2_000)

  const measure = async (server: Server, sessions: readonly SignedIn[]) => await load(server.pid, seconds, { url: server.url, requests: verifications(sessions) })
  // Until the compiler is done with it, a node is several times slower.
  for (let warm = 0; warm < (setting.smoke ? 0 : 3); warm++) for (const [server, sessions] of [[quiet, subjects.quiet], [node, subjects.node]] as const) await measure(server, sessions)
  const loads = { quiet: [] as Load[], entries: [] as Load[], quietAgain: [] as Load[], streams: [] as Load[] }
  for (let round = 0; round < rounds; round++) {
    loads.quiet.push(await measure(quiet, subjects.quiet))
    loads.entries.push(await measure(node, subjects.node))
  }
  await subscribe(setting, node, streams)
  for (let round = 0; round < rounds; round++) {
    loads.quietAgain.push(await measure(quiet, subjects.quiet))
    loads.streams.push(await measure(node, subjects.node))
  }
  const times = await endingsSeen({ here, node, count: endings })
  const perCpu = (of: Load[]) => of.map(({ perCpuSecond }) => perCpuSecond)
  return {
    name: 'feed',
    rows: [
      row('verify, nothing ended', 'requests/CPU s', perCpu(loads.quiet)),
      row(`verify, ${entries} entries`, 'requests/CPU s', perCpu(loads.entries)),
      row(`verify, and ${streams} streams`, 'requests/CPU s', perCpu(loads.streams)),
      ...quantiles(`ended → refused at another node, ${streams} streams`, times.node),
      ...quantiles('ended → refused by a verifier that follows that node', times.verifier),
    ],
    judged: [
      against(`verify, ${entries} entries`, GOALS.entries, 'requests/CPU s', perCpu(loads.entries), 'a node without', perCpu(loads.quiet)),
      against(`verify, and ${streams} streams`, GOALS.entries, 'requests/CPU s', perCpu(loads.streams), 'a node without', perCpu(loads.quietAgain)),
      byItself('p99 of ended → refused at another node', GOALS.node, 'ms', [quantile(times.node, 0.99)]),
      byItself('p99 of ended → refused by a verifier', GOALS.verifier, 'ms', [quantile(times.verifier, 0.99)]),
    ],
    note: `${endings} endings, asked every 10 ms.`,
  }
}

export async function subscribe ({ teardown }: Setting, { url }: Server, count: number): Promise<void> {
  const child = fork(pathOf('bench/feed-subscribers.ts'), { env: { PATH: process.env['PATH'], FEED_URL: url, STREAMS: String(count) } })
  const ended = once(child, 'exit')
  teardown(async () => { child.kill('SIGTERM'); await ended })
  await Promise.race([once(child, 'message'), ended.then(([code]) => { throw new Error(`the subscribers ended with ${code}`) })])
}

/** Ends one session after the other at one node, and asks another node and a verifier that follows that one until both refuse. */
async function endingsSeen ({ here, node, count }: { here: Server, node: Server, count: number }): Promise<{ node: number[], verifier: number[] }> {
  // Everything that names the issuer comes from the node under load.
  const verifier = createVerifier({
    issuer: 'http://localhost:3000', audience: 'http://localhost:3000',
    fetch: async (url, init) => await fetch(url.replace('http://localhost:3000', node.url), init),
  })
  const times = { node: [] as number[], verifier: [] as number[] }
  for (const { access_token: token, refresh_token } of await signIns(here.url, count)) {
    await verifier.verify(token)
    await sleep(Math.random() * 300)
    await post(here.url, '/v1/auth/logout', { refresh_token })
    const endedAt = performance.now()
    const until = async (refused: () => Promise<boolean>): Promise<number> => {
      while (!await refused()) {
        if (performance.now() - endedAt > 30_000) throw new Error('an ending did not arrive in 30 s')
        await sleep(10)
      }
      return performance.now() - endedAt
    }
    const [atNode, atVerifier] = await Promise.all([
      until(async () => {
        const answer = await fetch(`${node.url}/v1/auth/verify`, { headers: { authorization: `Bearer ${token}` } })
        await answer.arrayBuffer()
        return answer.status === 401
      }),
      until(async () => await verifier.verify(token).then(() => false, () => true)),
    ])
    times.node.push(atNode)
    times.verifier.push(atVerifier)
  }
  verifier.close()
  return times
}

const quantiles = (label: string, values: readonly number[]): Row[] =>
  ([['p50', 0.5], ['p99', 0.99], ['max', 1]] as const).map(([name, at]) => row(`${label}, ${name}`, 'ms', [quantile(values, at)]))

const quantile = (values: readonly number[], at: number): number => values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * at))]!
