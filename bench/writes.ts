import { setTimeout as sleep } from 'node:timers/promises'
import { databaseLink } from '../test/helpers/database-link.ts'
import { databaseNamed, onServer } from '../test/setup/database.ts'
import { row, type Benchmark, type Row } from './measure.ts'
import { accounts, PASSWORD, post, signUp, startService, type SignedIn } from './processes.ts'

const NAME = 'bench_writes'
/** A connection tells how many rows it wrote ten seconds after it fell idle, or when it ends. */
const END_CONNECTIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'idle'"

/** What one operation leaves in the database: bytes of the log that is written ahead, rows, and statements, counted on the wire. */
export const writes: Benchmark = async setting => {
  const [rounds, each] = setting.smoke ? [1, 3] : [5, 10]
  await onServer(setting.databaseUrl, async client => { await client.query(`CREATE DATABASE ${NAME}`) })
  const database = databaseNamed(setting.databaseUrl, NAME)
  const link = await databaseLink(setting, database)
  const { url } = await startService({ ...setting, databaseUrl: link.url })
  const emails = await accounts(url, database, rounds * each)
  const sessions: SignedIn[] = []
  const count = { signedIn: 0, refreshed: 0 }

  const operations: Record<string, () => Promise<unknown>> = {
    'sign-up': async () => await signUp(url),
    'sign-in': async () => { sessions.push(await post<SignedIn>(url, '/v1/auth/login', { email: emails[count.signedIn++]!, password: PASSWORD, refresh: 'body' })) },
    refresh: async () => {
      const at = count.refreshed++ % sessions.length
      sessions[at] = await post<SignedIn>(url, '/v1/auth/refresh', { refresh_token: sessions[at]!.refresh_token })
    },
    verify: async () => {
      const answer = await fetch(`${url}/v1/auth/verify`, { headers: { authorization: `Bearer ${sessions[0]!.access_token}` } })
      if (!answer.ok) throw new Error(`verify answered ${answer.status}`)
      await answer.arrayBuffer()
    },
    logout: async () => { await post(url, '/v1/auth/logout', { refresh_token: sessions.pop()!.refresh_token }) },
  }

  // What a node asks at rest, by its text: it is nobody's operation.
  link.statements.length = 0
  await sleep(setting.smoke ? 2_500 : 5_000)
  const atRest = new Set(link.statements)
  const measured: Record<string, { bytes: number[], rows: number[], counters: number[], statements: number[] }> = {}
  await onServer(database, async client => {
    const read = async (waitMs: number) => {
      await sleep(waitMs)
      await client.query(END_CONNECTIONS)
      await sleep(300)
      const { rows: [now] } = await client.query<{ bytes: number, rows: number, counters: number }>(`
        SELECT (pg_current_wal_insert_lsn() - '0/0')::float8 AS bytes, sum(written) FILTER (WHERE relname <> 'rate_limit')::float8 AS rows, sum(written) FILTER (WHERE relname = 'rate_limit')::float8 AS counters
        FROM (SELECT relname, n_tup_ins + n_tup_upd + n_tup_del AS written FROM pg_stat_user_tables) tables`)
      return now!
    }
    for (let round = 0; round < rounds; round++) {
      for (const [name, operation] of Object.entries(operations)) {
        const its = measured[name] ??= { bytes: [], rows: [], counters: [], statements: [] }
        // After a checkpoint a page is written whole when it is first touched; those of this round were, by the operation before it.
        const before = await read(0)
        link.statements.length = 0
        for (let n = 0; n < each; n++) await operation()
        // What nobody waits for is written by then; whoever signed up has the mail, which is looked for every two seconds.
        const after = await read(name === 'sign-up' ? 3_000 : 200)
        its.statements.push(link.statements.filter(statement => !atRest.has(statement)).length / each)
        for (const what of ['bytes', 'rows', 'counters'] as const) its[what].push((after[what] - before[what]) / each)
      }
    }
  })

  const rows: Row[] = Object.entries(measured).flatMap(([name, its]) => [
    row(name, 'statements', its.statements), row(name, 'rows', its.rows), row(name, 'counters (unlogged)', its.counters), row(name, 'bytes of WAL', its.bytes),
  ])
  for (const [name, most] of [['verify', 0], ['refresh', 1]] as const) {
    const statements = rows.find(({ label, unit }) => label === name && unit === 'statements')!.median
    if (statements !== most) throw new Error(`${name} takes ${statements} statements, and is to take ${most}`)
  }
  return { name: 'writes', rows, ratios: {}, note: `${rounds} rounds of ${each}, one after the other, on a wire that counts; what a node asks at rest is left out; sign-up with its mail. Asserted: refresh 1 statement, verify 0.` }
}
