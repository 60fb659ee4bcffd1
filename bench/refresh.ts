import { once } from 'node:events'
import { newSession } from '../src/core/sessions/issue.ts'
import { issueRefreshToken } from '../src/core/tokens/refresh-token.ts'
import type { SessionClaims } from '../src/core/tokens/session-claims.ts'
import { onServer } from '../test/setup/database.ts'
import { openInside } from './inside.ts'
import { against } from './judge.ts'
import { load, row, type Benchmark, type Load } from './measure.ts'
import { pathOf, startServer, startService } from './processes.ts'
import type { Spendings } from './raw-refresh.ts'
import { Rotation } from './rotation.ts'

const GOAL = { atLeast: 0.6 }
const CONNECTIONS = 10
type Rates = Pick<Load, 'perSecond' | 'perCpuSecond'>

/** Refreshes, each with the newest token of its session, against the one statement that they execute: over pg, by the same pool and as many at once. */
export const refresh: Benchmark = async setting => {
  const [rounds, count, generations] = setting.smoke ? [1, 100, 5] : setting.long ? [9, 500, 12] : [5, 500, 6]
  const service = await startService(setting)
  const { config, keyring } = await openInside(setting)
  const users = await onServer(setting.databaseUrl, async client => (await client.query<{ id: string, now: number }>(
    "INSERT INTO users (id, email, email_verified_at) SELECT gen_random_uuid(), 'refresh-' || g || '@bench.example', now() FROM generate_series(1, $1) g RETURNING id::text, extract(epoch FROM now())::float8 AS now", [2 * count])).rows)
  const sessions = users.map(({ id, now }) => newSession({ config }, { user: { id, epoch: 1, roles: [], claims: {} }, scope: 'account', remember: true, amr: ['pwd'], now }))
  const [own, others] = [sessions.slice(0, count), sessions.slice(count)]
  const iat = Math.floor(users[0]!.now)
  const key = keyring.signingKey('rt', iat)
  const raw = await startServer(setting, [pathOf('bench/raw-refresh.ts')], { DATABASE_URL: setting.databaseUrl }, '/')

  const alone = async (from: number): Promise<Rates> => {
    raw.child.send({ connections: CONNECTIONS, sessions: others.map(({ sub, sid, ver }) => ({ sub, sid, ver })), kid: key.kid, from, generations } satisfies Spendings)
    return (await once(raw.child, 'message') as [Rates])[0]
  }
  const request = (session: SessionClaims, gen: number) => ({
    method: 'POST' as const, path: '/v1/auth/refresh', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ refresh_token: issueRefreshToken(key, config, session, gen, iat).token }),
  })
  const whole = async (from: number): Promise<Load> => {
    const share = count / CONNECTIONS
    // A session belongs to one connection, which spends its generations in their order.
    const requests = Array.from({ length: CONNECTIONS }, (_, at) => own.slice(at * share, (at + 1) * share))
      .flatMap(mine => Array.from({ length: generations }, (_, next) => mine.map(session => request(session, from + next))).flat())
    return await load(service.pid, 1, { url: service.url, ...new Rotation(requests).options(), amount: requests.length })
  }

  const [statements, refreshes]: [Rates[], Load[]] = [[], []]
  for (let round = setting.smoke ? 0 : -1; round < rounds; round++) {
    const from = 1 + (round + 1) * generations
    const [one, other] = [await alone(from), await whole(from)]
    if (round < 0) continue
    statements.push(one)
    refreshes.push(other)
  }
  const of = (loads: readonly Rates[], by: keyof Rates) => loads.map(load => load[by])
  return {
    name: 'refresh',
    rows: [
      row('its statement alone, over pg', 'statements/s', of(statements, 'perSecond')),
      row('POST /v1/auth/refresh', 'refreshes/s', of(refreshes, 'perSecond')),
      row('CPU of the statement, in the client', 'ms', of(statements, 'perCpuSecond').map(rate => 1000 / rate)),
      row('CPU of the service', 'ms/refresh', of(refreshes, 'perCpuSecond').map(rate => 1000 / rate)),
      row('the service was busy', 'cores', refreshes.map(({ busy }) => busy)),
      row('the generator was busy', 'cores', refreshes.map(({ generator }) => generator)),
    ],
    judged: [against('one statement', GOAL, 'refreshes/s', of(refreshes, 'perSecond'), 'the statement over pg', of(statements, 'perSecond'))],
  }
}
