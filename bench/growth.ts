import { readdir, readFile } from 'node:fs/promises'
import { randomInt } from 'node:crypto'
import { loadConfig } from '../src/config.ts'
import { openContext, type Context } from '../src/context.ts'
import { acceptGuess, findForSignIn } from '../src/core/users/store.ts'
import { createLog } from '../src/log.ts'
import { databaseNamed, onServer } from '../test/setup/database.ts'
import { subscribe } from './feed.ts'
import { against, type Judged } from './judge.ts'
import { cpuSeconds, load, row, type Benchmark, type Row, type Setting } from './measure.ts'
import { productionEnvironment, signIns, signUp, startBare, startService, verifications, type Server, type SignedIn } from './processes.ts'

/** Of one node a second. */
const [REFRESHES, VERIFICATIONS] = [100, 2_000]

const GOAL = { atMost: 1.2 }

/** A pair of what is small and what is large, by turns; each measurement tells what one operation costs. */
type Pair = { label: string, unit: string, few: () => Promise<number>, many: () => Promise<number> }

/** What an operation costs where there is little, and where there is a thousand times as much: users, endings, streams, nodes. */
export const growth: Benchmark = async setting => {
  const [rounds, seconds] = setting.smoke ? [1, 1] : setting.long ? [9, 2] : [5, 1]
  const [fewUsers, manyUsers] = setting.smoke ? [100, 2_000] : [1_000, 1_000_000]
  const [fewEndings, manyEndings] = setting.smoke ? [10, 500] : [100, 100_000]
  const [fewStreams, manyStreams] = setting.smoke ? [2, 20] : [10, 1_000]
  const [few, many] = [await databaseWith(setting, 'bench_growth_few', fewUsers), await databaseWith(setting, 'bench_growth_many', manyUsers)]
  const rows: Row[] = []
  const judged: Judged[] = []
  const compare = async ({ label, unit, few, many }: Pair, sizes: readonly [string, string]) => {
    // Until the compiler is done with it, a node costs several times as much.
    if (!setting.smoke) for (let warm = 0; warm < 2; warm++) { await few(); await many() }
    const costs = { few: [] as number[], many: [] as number[] }
    for (let round = 0; round < rounds; round++) {
      costs.few.push(await few())
      costs.many.push(await many())
    }
    rows.push(row(`${label}, ${sizes[0]}`, unit, costs.few), row(`${label}, ${sizes[1]}`, unit, costs.many))
    judged.push(against(`${label}, ${sizes[1]}`, GOAL, unit, costs.many, sizes[0], costs.few))
  }

  // Users: what a sign-in asks of the database, and a refresh as a whole, service and database.
  const users = [`${fewUsers} users`, `${manyUsers} users`] as const
  const contexts = { few: await contextOf(setting, few), many: await contextOf(setting, many) }
  const statements = async (ctx: Context, url: string, of: number) => await statementsMs(ctx, url, of, setting.smoke ? 20 : 300)
  await compare({ label: 'statements of a sign-in', unit: 'CPU ms', few: async () => await statements(contexts.few, few, fewUsers), many: async () => await statements(contexts.many, many, manyUsers) }, users)
  const nodes = { few: await startService({ ...setting, databaseUrl: few }), many: await startService({ ...setting, databaseUrl: many }) }
  const sessions = { few: await signIns(nodes.few.url, 20), many: await signIns(nodes.many.url, 20) }
  const refresh = async (servers: Server[], its: readonly SignedIn[], databaseUrl: string, rate?: number) => await costMs(servers, databaseUrl, seconds, refreshes(its), rate)
  await compare({ label: 'refresh', unit: 'CPU ms', few: async () => await refresh([nodes.few], sessions.few, few), many: async () => await refresh([nodes.many], sessions.many, many) }, users)

  // One node and four, on one database, and each of them as busy: at full speed one would serve more requests for each time it is woken.
  const four = [nodes.many, ...await Promise.all([1, 2, 3].map(async () => await startService({ ...setting, databaseUrl: many })))]
  const verify = async (servers: Server[], its: readonly SignedIn[], rate?: number) => await costMs(servers, null, seconds, verifications(its), rate)
  const size = ['1 node', '4 nodes'] as const
  await compare({ label: 'refresh', unit: 'CPU ms', few: async () => await refresh([nodes.many], sessions.many, many, REFRESHES), many: async () => await refresh(four, sessions.many, many, REFRESHES) }, size)
  await compare({ label: 'verify', unit: 'CPU ms', few: async () => await verify([nodes.many], sessions.many, VERIFICATIONS), many: async () => await verify(four, sessions.many, VERIFICATIONS) }, size)
  // Four share the caches of one machine, as four of anything would: beside three bare servers as busy, what is left is what nodes cost each other.
  const strangers = await Promise.all([1, 2, 3].map(async () => await startBare(setting, { headers: {}, body: {} })))
  const amongStrangers = async () => {
    const [cost] = await Promise.all([verify([nodes.many], sessions.many, VERIFICATIONS), ...strangers.map(async ({ pid, url }) => await load(pid, seconds, { url, connections: 8, overallRate: VERIFICATIONS }))])
    return cost
  }
  await compare({ label: 'verify', unit: 'CPU ms', few: amongStrangers, many: async () => await verify(four, sessions.many, VERIFICATIONS) }, ['1 node and 3 bare servers', '4 nodes in their place'])
  for (const server of [...four.slice(1), ...strangers]) await server.stop()

  // Endings, and then streams that follow them.
  await endings(few, fewEndings)
  await endings(many, manyEndings)
  const [started, startedLate] = [await startService({ ...setting, databaseUrl: few }), await startService({ ...setting, databaseUrl: many })]
  rows.push(row(`start, ${fewEndings} endings`, 'ms', [started.startMs]), row(`start, ${manyEndings} endings`, 'ms', [startedLate.startMs]))
  await compare({ label: 'verify', unit: 'CPU ms', few: async () => await verify([started], sessions.few), many: async () => await verify([startedLate], sessions.many) }, [`${fewEndings} endings`, `${manyEndings} endings`])
  const [followed, followedByMany] = [await startService({ ...setting, databaseUrl: few }), started]
  await subscribe(setting, followed, fewStreams)
  await subscribe(setting, followedByMany, manyStreams)
  await compare({ label: 'verify', unit: 'CPU ms', few: async () => await verify([followed], sessions.few), many: async () => await verify([followedByMany], sessions.few) }, [`${fewStreams} streams`, `${manyStreams} streams`])
  return { name: 'growth', rows, judged, note: 'CPU of the nodes, and of PostgreSQL where it is asked; one operation.' }
}

/** A migrated database with so many users, each of whom has a password and a session that has refreshed. */
async function databaseWith (setting: Setting, name: string, users: number): Promise<string> {
  await onServer(setting.databaseUrl, async client => { await client.query(`CREATE DATABASE ${name}`) })
  const url = databaseNamed(setting.databaseUrl, name)
  const first = await startService({ ...setting, databaseUrl: url })
  const { email } = await signUp(first.url)
  await first.stop()
  await onServer(url, async client => {
    await client.query('SET statement_timeout = 0')
    await client.query(`INSERT INTO users (id, email, status, email_verified_at)
      SELECT (lpad(to_hex(1700000000000 + g), 12, '0') || '7' || substr(h, 1, 3) || '8' || substr(h, 4, 15))::uuid, g || '@bench.example', 1, now()
      FROM generate_series(1, ${users}) g, LATERAL (SELECT md5(g::text) AS h) digests`)
    await client.query('INSERT INTO credential (user_id, password_hash) SELECT u.id, c.password_hash FROM users u, credential c JOIN users own ON own.id = c.user_id WHERE own.email = $1 AND u.email <> $1', [email])
    await client.query("INSERT INTO refresh_spent (sid, gen, spent_at) SELECT id, 1, now() FROM users WHERE email LIKE '%@bench.example'")
    await client.query('VACUUM ANALYZE users, credential, refresh_spent')
  })
  return url
}

async function contextOf (setting: Setting, databaseUrl: string): Promise<Context> {
  const config = loadConfig(productionEnvironment(databaseUrl), () => '')
  const { ctx, close } = await openContext({ config, databaseUrl, keyEncryptionKey: config.keyEncryptionKey!, log: createLog({ logLevel: 'silent' }) })
  setting.teardown(close)
  return ctx
}

/** One after the other, of users picked at random: reading the account, and writing that the guess was right. @returns CPU ms of one sign-in, here and in PostgreSQL */
async function statementsMs (ctx: Context, databaseUrl: string, users: number, count: number): Promise<number> {
  const [own, database] = [process.cpuUsage(), await postgresSeconds(databaseUrl)]
  for (let n = 0; n < count; n++) {
    const user = await findForSignIn(ctx.db, `${randomInt(1, users + 1)}@bench.example`)
    if (!user) throw new Error('a user is missing')
    const accepted = await acceptGuess(ctx, user.id, 'unknown', null, { type: 'session.started', actor: `user:${user.id}`, userId: user.id, source: { addressPrefix: null, userAgent: null } })
    if (!accepted) throw new Error('a guess was not accepted')
  }
  const { user, system } = process.cpuUsage(own)
  return 1000 * ((user + system) / 1e6 + await postgresSeconds(databaseUrl) - database) / count
}

/** Within the grace the same token has the same successor, by the same statement: what is measured is one refresh, as often as wanted. */
const refreshes = (sessions: readonly SignedIn[]) => sessions.map(({ refresh_token }) =>
  ({ method: 'POST' as const, path: '/v1/auth/refresh', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ refresh_token }) }))

/** @returns CPU milliseconds of one operation: of the nodes, and of PostgreSQL where it takes part */
async function costMs (servers: readonly Server[], databaseUrl: string | null, seconds: number, requests: { method: 'GET' | 'POST', path: string }[], rate?: number): Promise<number> {
  const before = databaseUrl === null ? 0 : await postgresSeconds(databaseUrl)
  const loads = await Promise.all(servers.map(async server => await load(server.pid, seconds, { url: server.url, requests, connections: 8, ...(rate && { overallRate: rate }) })))
  const database = databaseUrl === null ? 0 : await postgresSeconds(databaseUrl) - before
  const operations = loads.reduce((sum, { perSecond }) => sum + perSecond * seconds, 0)
  const cpu = loads.reduce((sum, { busy }) => sum + busy * seconds, 0)
  return 1000 * (cpu + database) / operations
}

/** All processes of the server, also those that have ended: their time is then in that of the one that listens. */
async function postgresSeconds (databaseUrl: string): Promise<number> {
  const postmaster = await parentOf(databaseUrl)
  const times = await Promise.all((await readdir('/proc')).filter(name => /^\d+$/.test(name)).map(async pid => {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
    const [, parent, ...others] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [userOfEnded, systemOfEnded] = others.slice(11, 13).map(Number) as [number, number]
    return pid === postmaster ? (userOfEnded + systemOfEnded) / 100 : parent === postmaster ? await cpuSeconds(pid) : 0
  }))
  return times.reduce((sum, one) => sum + one, 0)
}

async function parentOf (databaseUrl: string): Promise<string> {
  return await onServer(databaseUrl, async client => {
    const { rows: [row] } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    const stat = await readFile(`/proc/${row!.pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]!
  })
}

async function endings (databaseUrl: string, count: number): Promise<void> {
  await onServer(databaseUrl, async client => {
    await client.query(`INSERT INTO revocation (kind, id, val, expires_at) SELECT (array['s','u','j'])[1 + g % 3]::"char", substring(sha256(convert_to(g::text, 'UTF8')) for 12), 2, now() + interval '1 hour' FROM generate_series(1, ${count}) g`)
  })
}
