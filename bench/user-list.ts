import { onServer, databaseNamed } from '../test/setup/database.ts'
import { against, type Judged } from './judge.ts'
import { row, type Benchmark, type Row } from './measure.ts'
import { PASSWORD, post, signUp, startService, type SignedIn } from './processes.ts'

const NAME = 'bench_user_list'
const GOAL = { atMost: 3 }
/** Of fewer, the 99th percentile is the luck of one. A list with fewer is walked again. */
const PAGES = 500

/** Every one of these is walked to its end, once at least. */
const lists: Record<string, string> = {
  everybody: '',
  'disabled, 2 %': 'status=disabled',
  'not verified, 10 %': 'verified=false',
  'active and verified, of a common role, 30 %': 'status=active&verified=true&role=member',
  'of a rare role, 0.1 %': 'role=support',
  'addresses that begin with "ab"': 'email_prefix=ab',
}

/** Pages of a hundred out of a million users, from the first to the last: what a page costs, and whether it matters where it is. */
export const userList: Benchmark = async setting => {
  const users = setting.smoke ? 5_000 : setting.long ? 1_000_000 : 50_000
  await onServer(setting.databaseUrl, async client => { await client.query(`CREATE DATABASE ${NAME}`) })
  const database = databaseNamed(setting.databaseUrl, NAME)
  const service = await startService({ ...setting, databaseUrl: database })
  const { email } = await signUp(service.url)
  await onServer(database, async client => {
    await client.query("SET statement_timeout = 0; UPDATE users SET roles = '{admin}'")
    await client.query(`INSERT INTO users (id, email, status, email_verified_at, roles)
      SELECT (lpad(to_hex(1700000000000 + g), 12, '0') || '7' || substr(h, 1, 3) || '8' || substr(h, 4, 15))::uuid, h || '@example.com',
        1 + (get_byte(b, 0) < 5)::int, CASE WHEN get_byte(b, 1) >= 26 THEN now() END,
        CASE WHEN g % 1000 = 0 THEN '{support}'::text[] WHEN get_byte(b, 2) < 77 THEN '{member}' ELSE '{}' END
      FROM generate_series(1, ${users}) g, LATERAL (SELECT md5(g::text) AS h, sha256(g::text::bytea) AS b) digests`)
    await client.query('VACUUM ANALYZE users')
  })
  const { access_token: token } = await post<SignedIn>(service.url, '/v1/auth/login', { email, password: PASSWORD, refresh: 'body', scope: 'admin' })
  // What a start costs is another benchmark's.
  for (let warm = 0; warm < (setting.smoke ? 10 : 300); warm++) await page(service.url, token, 'limit=100')

  const rows: Row[] = []
  const judged: Judged[] = []
  for (const [name, query] of Object.entries(lists)) {
    const times: number[] = []
    let [walks, seen] = [0, 0]
    for (let cursor: string | null = ''; cursor !== null;) {
      const began = performance.now()
      const { items, next } = await page(service.url, token, `limit=100&${query}${cursor === '' ? '' : `&cursor=${cursor}`}`)
      times.push(performance.now() - began)
      seen += items.length
      if (next === null) walks++
      cursor = next ?? (!setting.smoke && times.length < PAGES ? '' : null)
    }
    // Shorter lists are compared as a whole.
    const [first, last] = times.length < 1_000 ? [times, times] : [times.slice(0, 500), times.slice(-500)]
    const at = (of: readonly number[], q: number) => of.toSorted((a, b) => a - b)[Math.min(of.length - 1, Math.floor(of.length * q))]!
    rows.push(row(`${name}: ${seen / walks} users, ${times.length} pages, p50`, 'ms', [at(times, 0.5)]), row(`${name}: p99`, 'ms', [at(times, 0.99)]))
    if (first !== last) rows.push(row(`${name}: p50 of the first 500 pages`, 'ms', [at(first, 0.5)]), row(`${name}: p50 of the last 500`, 'ms', [at(last, 0.5)]))
    judged.push(against(`${name}: p99`, GOAL, 'ms', [at(times, 0.99)], 'p50', [at(times, 0.5)]))
    if (first !== last) judged.push(against(`${name}: p99 of the last 500 pages`, GOAL, 'ms', [at(last, 0.99)], 'p50 of the first', [at(first, 0.5)]))
  }
  return { name: 'user-list', rows, judged, note: `${users} users, pages of 100, one after the other, over HTTP.` }
}

async function page (url: string, token: string, query: string): Promise<{ items: unknown[], next: string | null }> {
  const answer = await fetch(`${url}/v1/admin/users?${query}`, { headers: { authorization: `Bearer ${token}` } })
  if (!answer.ok) throw new Error(`${query} answered ${answer.status} ${await answer.text()}`)
  return await answer.json() as { items: unknown[], next: string | null }
}
