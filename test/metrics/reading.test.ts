import t from 'tap'
import { Tally } from '../../src/http/tally.ts'
import { Histogram } from '../../src/lib/histogram.ts'
import { exposition } from '../../src/metrics/exposition.ts'
import { families, type FamilyName } from '../../src/metrics/families.ts'
import { readingOf } from '../../src/metrics/read.ts'
import { combine, countedIn, type Reading } from '../../src/metrics/reading.ts'

const one = (value: number) => [{ labels: [], value }]
const requests = (...counts: [route: string, status: string, count: number][]) => counts.map(([route, status, value]) => ({ labels: ['GET', route, status], value }))
const spread = (...values: number[]) => {
  const histogram = new Histogram([1, 2])
  for (const value of values) histogram.observe(value)
  return [{ labels: [], value: histogram.read() }]
}

t.test('several processes are as stale as the stalest, and have answered what they all have', async t => {
  const node = combine([
    { stateless_auth_feed_staleness_seconds: one(0.4), stateless_auth_feed_entries: one(7), stateless_auth_feed_streams: one(2), stateless_auth_signing_key_rotation_seconds: [{ labels: ['at'], value: 60 }], stateless_auth_http_requests_total: requests(['/a', '2xx', 3], ['/b', '2xx', 1]), stateless_auth_password_hash_wait_seconds: spread(0.5, 5) },
    { stateless_auth_feed_staleness_seconds: one(31), stateless_auth_feed_entries: one(6), stateless_auth_feed_streams: one(3), stateless_auth_signing_key_rotation_seconds: [{ labels: ['at'], value: 50 }], stateless_auth_http_requests_total: requests(['/a', '2xx', 4], ['/a', '5xx', 1]), stateless_auth_password_hash_wait_seconds: spread(1.5), stateless_auth_jobs_queued: [{ labels: ['email'], value: 3 }] },
    { stateless_auth_jobs_queued: [{ labels: ['email'], value: 4 }] },
  ])
  t.strictSame(node, {
    stateless_auth_http_requests_total: requests(['/a', '2xx', 7], ['/b', '2xx', 1], ['/a', '5xx', 1]),
    stateless_auth_feed_staleness_seconds: one(31), stateless_auth_feed_entries: one(7), stateless_auth_feed_streams: one(5),
    stateless_auth_signing_key_rotation_seconds: [{ labels: ['at'], value: 50 }],
    stateless_auth_password_hash_wait_seconds: [{ labels: [], value: { bounds: [1, 2], counts: [1, 1, 1], sum: 7 } }],
    stateless_auth_jobs_queued: [{ labels: ['email'], value: 3 }],
  } satisfies Reading)
})

t.test('of a process that has gone, what it counted stays, and what it held does not', async t => {
  t.strictSame(countedIn({ stateless_auth_feed_streams: one(2), stateless_auth_large_tokens_total: one(3), stateless_auth_access_token_bytes: spread(1) }),
    { stateless_auth_large_tokens_total: one(3), stateless_auth_access_token_bytes: spread(1) })
})

t.test('how stale the feed is goes by the clock, and by nothing that stands still with the feed', async t => {
  const at = (now: number, ready = true) => readingOf({ ctx: { clock: { now: () => now }, revocations: { ready, asOf: 1_000, size: 4 }, keyring: { readAt: performance.now() - 2_000 } } as never, tally: new Tally() })
  t.match(at(1_012_500), { stateless_auth_feed_staleness_seconds: one(12.5), stateless_auth_feed_entries: one(4), stateless_auth_feed_streams: one(0) })
  t.strictSame(at(990_000).stateless_auth_feed_staleness_seconds, one(0), 'a clock that is behind the database does not make it fresher than now')
  t.strictSame(at(1_012_500, false).stateless_auth_feed_staleness_seconds, one(Infinity), 'what was never read is as stale as can be')
  t.ok(Math.abs(at(0).stateless_auth_keys_age_seconds![0]!.value as number - 2) < 0.5)
  t.equal(at(0).stateless_auth_sign_ins_total, undefined, 'a relay says nothing of sign-ins')
})

t.test('what a caller may choose makes no new line: paths without a route, methods that nobody uses', async t => {
  const tally = new Tally()
  for (let n = 0; n < 100; n++) tally.count(n % 2 ? 'GET' : 'BREW', undefined, 404, 0.001)
  for (const method of ['PROPFIND', 'MKCOL', 'LOCK']) tally.count(method, '/v1/me', 405, 0.001)
  tally.count('GET', '/v1/me', 200, 3)
  t.strictSame(tally.requests.map(({ method, route, status, count }) => `${method} ${route} ${status} ${count}`).sort(),
    ['GET (none) 4xx 50', 'GET /v1/me 2xx 1', 'other (none) 4xx 50', 'other /v1/me 4xx 3'])
  t.strictSame(tally.durations.map(({ route, seconds }) => [route, seconds.counts.at(-1)]).sort(), [['(none)', 0], ['(none)', 0], ['/v1/me', 0], ['/v1/me', 1]])
})

t.test('the text is one that a Prometheus reads: each family once, with help and type before its samples, labels quoted', async t => {
  const everything = Object.fromEntries(Object.entries(families).map(([name, { type, labels }]) => [name, [{ labels: labels.map(() => 'odd"\\\n'), value: type === 'histogram' ? spread(0.5, 5)[0]!.value : 3 }]])) as Reading
  const lines = exposition(everything).split('\n')
  t.equal(lines.pop(), '', 'ends with a line break')
  t.strictSame(lines.filter(line => line.startsWith('# TYPE ')).map(line => line.split(' ')[2]!), Object.keys(families))
  for (const family of Object.keys(families) as FamilyName[]) {
    const own = lines.filter(line => new RegExp(`(^|^# [A-Z]+ )${family}(_bucket|_sum|_count)?[ {]`).test(line))
    t.match(own[0], new RegExp(`^# HELP ${family} [^\\n]+\\.$`))
    t.equal(own[1], `# TYPE ${family} ${families[family].type}`)
    t.equal(lines.indexOf(own.at(-1)!) - lines.indexOf(own[0]!), own.length - 1, `${family} in one piece`)
  }
  for (const line of [
    'stateless_auth_feed_streams 3',
    'stateless_auth_http_requests_total{method="odd\\"\\\\\\n",route="odd\\"\\\\\\n",status="odd\\"\\\\\\n"} 3',
    'stateless_auth_access_token_bytes_bucket{le="1"} 1', 'stateless_auth_access_token_bytes_bucket{le="2"} 1', 'stateless_auth_access_token_bytes_bucket{le="+Inf"} 2',
    'stateless_auth_access_token_bytes_sum 5.5', 'stateless_auth_access_token_bytes_count 2',
  ]) t.ok(lines.includes(line), line)
  t.match(exposition({ stateless_auth_feed_staleness_seconds: one(Infinity) }), /^stateless_auth_feed_staleness_seconds \+Inf$/m)
  t.equal(exposition({}), '', 'what was not counted is not zero')
})
