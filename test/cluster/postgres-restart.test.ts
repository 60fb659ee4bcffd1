import t, { type Test } from 'tap'
import { databaseLink } from '../helpers/database-link.ts'
import { freshDatabase } from '../helpers/database.ts'
import { FROM_MEMORY, startLoad, type Load } from '../helpers/load.ts'
import { ownPostgres } from '../helpers/own-postgres.ts'
import { send, startProcess, type NodeProcess } from '../helpers/processes.ts'
import { until } from '../helpers/until.ts'

/** The promise is two seconds; the rest is for a slow machine, and what is slow there shows in answers that wait for nothing. */
const boundMs = ({ seen }: Load): number => 2_500 + 4 * Math.max(...seen.filter(({ operation }) => FROM_MEMORY.includes(operation)).map(({ ms }) => ms))

const health = async ({ url }: NodeProcess, path: string) => {
  const { status, json } = await send(url, 'GET', path)
  return [status, json.status, json.database]
}

/** From a node that answers, through an outage that lasts until the node says so, to all operations working again. */
async function outage (t: Test, node: NodeProcess, load: Load, { take, give }: { take: () => Promise<void> | void, give: () => Promise<void> }): Promise<void> {
  const { seen } = load
  t.strictSame(await health(node, '/readyz/full'), [200, 'ready', 'up'])
  await take()
  await until(async () => (await health(node, '/readyz'))[2] === 'away', 10_000)
  t.strictSame(await health(node, '/readyz'), [200, 'ready', 'away'], 'the balancer keeps the node: it verifies')
  t.strictSame(await health(node, '/readyz/full'), [503, 'not_ready', 'away'])
  const refusedUntil = seen.length
  await give()
  await until(async () => (await health(node, '/readyz/full'))[0] === 200, 15_000)
  // Sixteen answers in a row without a refusal: every connection that was lost has been replaced.
  const recovered = () => seen.slice(refusedUntil).filter(({ operation }) => !FROM_MEMORY.includes(operation)).slice(-16)
  await until(() => recovered().length === 16 && recovered().every(({ status }) => status < 300), 30_000)
  t.pass('everything works again, without a restart')
}

function judge (t: Test, load: Load): void {
  const { seen } = load
  const bound = boundMs(load)
  const fromMemory = seen.filter(({ operation }) => FROM_MEMORY.includes(operation))
  t.strictSame([...new Set(fromMemory.map(({ status }) => status))], [200], `${fromMemory.length} verifications and probes: all answered`)
  const rest = seen.filter(({ operation }) => !FROM_MEMORY.includes(operation))
  const refused = rest.filter(({ status }) => status >= 300)
  t.strictSame([...new Set(refused.map(({ operation }) => operation))].sort(), ['login', 'logout', 'me', 'refresh', 'register'])
  const answers = refused.map(({ status, json, headers }) => `${status} ${json.code}, Retry-After ${headers.get('retry-after')}`)
  t.strictSame([...new Set(answers)], ['503 database_unavailable, Retry-After 2'], `all of ${refused.length} refusals`)
  t.strictSame(refused.flatMap(({ headers }) => headers.getSetCookie()), [], 'no cookie was touched')
  t.strictSame(seen.filter(({ ms }) => ms > bound).map(({ operation, ms, status }) => ({ operation, ms, status })), [], `nobody waited longer than ${bound} ms`)
}

t.test('PostgreSQL is restarted under load, and then crashes: verification never stops, the rest says when to come again', async t => {
  const postgres = await ownPostgres(t)
  const nodes = await Promise.all([startProcess(t, postgres.url), startProcess(t, postgres.url)])
  const loads = await Promise.all(nodes.map(startLoad))
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    await outage(t, nodes[0]!, loads[0]!, { take: async () => await postgres.stop(signal), give: postgres.start })
  }
  for (const [index, load] of loads.entries()) {
    await load.stop()
    judge(t, load)
    t.equal(nodes[index]!.child.exitCode, null, 'the process is the one that was started')
    t.equal(await nodes[index]!.stop(), 0)
  }
})

t.test('a network that swallows every packet to the database is the same 503 in the same time, and heals', async t => {
  const link = await databaseLink(t, await freshDatabase(t))
  const node = await startProcess(t, link.url)
  const load = await startLoad(node)
  await outage(t, node, load, { take: link.swallow, give: link.mend })
  await load.stop()
  judge(t, load)
  t.equal(node.child.exitCode, null)
})
