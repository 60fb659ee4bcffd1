import { once } from 'node:events'
import { freePort } from '../../src/db/embedded/start.ts'
import { productionEnvironment, startService, type Server } from '../../bench/processes.ts'
import { ownPostgres, temporaryFolder, type OwnPostgres } from '../../test/helpers/own-postgres.ts'
import { startBalancer } from './balancer.ts'
import type { Endings } from './endings.ts'

/** One node and its place: whatever happens to the process, the next one listens where it did. */
export type Place = {
  name: string, url: string
  /** @param main another release's, below this checkout */
  start: (main?: string) => Promise<void>
  /** @returns how it ended */
  stop: (signal: 'SIGKILL' | 'SIGTERM') => Promise<number | NodeJS.Signals>
}
export type Cluster = { url: string, places: Place[], postgres: OwnPostgres, env: Record<string, string> }

export type ClusterOptions = {
  env?: Record<string, string>
  /** What differs from node to node: its way to the database, its clock. */
  envOf?: (index: number, databaseUrl: string) => Promise<Record<string, string>> | Record<string, string>
  postgres?: OwnPostgres
  /** What the nodes run at first; this checkout when absent. */
  main?: string
}

const NODES = 3

/** Three nodes as in production, one PostgreSQL, HAProxy in front. */
export async function startCluster (endings: Endings, { env = {}, envOf = () => ({}), postgres, main: first }: ClusterOptions = {}): Promise<Cluster> {
  const folder = await temporaryFolder(endings)
  const database = postgres ?? await ownPostgres(endings)
  const ports: number[] = []
  while (ports.length < NODES) ports.push(await freePort())
  const balancer = await startBalancer(endings, folder, ports.map((port, index) => ({ name: `n${index + 1}`, port })))
  const common = {
    HOST: '127.0.0.1', PUBLIC_URL: balancer.url, TRUSTED_PROXIES: '127.0.0.1', METRICS_PORT: '0', LOG_LEVEL: 'warn', DRAIN_SECONDS: '3', DOCS: 'false',
    ACCESS_TOKEN_TTL_SECONDS: '60', ARGON2_MEMORY_KIB: '7168', ARGON2_PASSES: '5', ...env,
  }
  const places: Place[] = []
  for (const [index, port] of ports.entries()) {
    const own = { ...common, PORT: String(port), ...await envOf(index, database.url) }
    let server: Server | undefined
    places.push({
      name: `n${index + 1}`,
      url: `http://127.0.0.1:${port}`,
      start: async main => {
        const started = server = await startService({ databaseUrl: database.url, teardown: endings.teardown }, { env: own, main })
        endings.teardown(() => { started.child.kill('SIGKILL') }) // at the end nobody waits for a drain
      },
      stop: async signal => {
        const { child } = server!
        const ended = once(child, 'exit')
        child.kill(signal)
        const [code, killedBy] = await ended
        return code ?? killedBy
      },
    })
  }
  await Promise.all(places.map(({ start }) => start(first)))
  await balancer.start()
  return { url: balancer.url, places, postgres: database, env: { ...productionEnvironment(database.url), ...common } }
}
