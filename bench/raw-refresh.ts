// The statement of a refresh and nothing else, over pg with the service's own pool. Told which generations of which sessions to spend, it
// answers how many it did a second, and a second of its processor time.
import { createServer } from 'node:http'
import { spendGeneration } from '../src/core/sessions/store.ts'
import { openDatabase, type Db } from '../src/db/client.ts'
import { systemClock } from '../src/lib/clock.ts'
import { createLog } from '../src/log.ts'

export type Spendings = { connections: number, sessions: { sub: string, sid: string, ver: number }[], kid: string, from: number, generations: number }

const { pool } = openDatabase(process.env['DATABASE_URL']!, { log: createLog({ logLevel: 'silent' }) })

type Statement = { text: string, values: unknown[] }

/** What the service would send: taken from it, never copied. */
async function statementOf (session: Spendings['sessions'][number], gen: number, kid: string): Promise<Statement> {
  let statement!: Statement
  const db = { $queryRaw: async ({ text, values }: Statement) => { statement = { text, values }; return [{ outcome: 'ok' }] } } as unknown as Db
  await spendGeneration({ db, clock: systemClock }, { ...session, gen, kid, shared: false, graceSeconds: 60, lateBudget: 3, source: { addressPrefix: null, userAgent: null } })
  return statement
}

process.on('message', async ({ connections, sessions, kid, from, generations }: Spendings) => {
  const shares: Statement[][] = Array.from({ length: connections }, () => [])
  for (let gen = from; gen < from + generations; gen++) for (const [at, session] of sessions.entries()) shares[at % connections]!.push(await statementOf(session, gen, kid))
  const [startedAt, cpuBefore] = [performance.now(), process.cpuUsage()]
  await Promise.all(shares.map(async share => {
    for (const statement of share) {
      const { rows: [row] } = await pool.query<{ outcome: string }>(statement)
      if (row?.outcome !== 'ok') throw new Error(`a refresh came to ${row?.outcome}`)
    }
  }))
  const { user, system } = process.cpuUsage(cpuBefore)
  const count = sessions.length * generations
  process.send!({ perSecond: count / ((performance.now() - startedAt) / 1000), perCpuSecond: count / ((user + system) / 1e6) })
})
createServer((_request, response) => response.end()).listen(Number(process.env['PORT']), '127.0.0.1')
