import t from 'tap'
import { Tally } from '../../src/http/tally.ts'
import { exposition } from '../../src/metrics/exposition.ts'
import { combine, readingOf, type Reading } from '../../src/metrics/reading.ts'

const request = (route: string, count: number, status = '2xx') => ({ method: 'GET', route, status, count })
const reading = (more: Partial<Reading> = {}): Reading => ({ stalenessSeconds: 0, entries: 0, streams: 0, largeTokens: 0, breachChecksFailed: 0, keysAgeSeconds: 0, requests: [], mail: null, ...more })

t.test('several processes are as stale as the stalest, and have answered what they all have', async t => {
  const node = combine([
    reading({ stalenessSeconds: 0.4, entries: 7, streams: 2, largeTokens: 1, breachChecksFailed: 2, keysAgeSeconds: 50, requests: [request('/a', 3), request('/b', 1)] }),
    reading({ stalenessSeconds: 31, entries: 6, streams: 3, largeTokens: 4, breachChecksFailed: 1, keysAgeSeconds: 5, requests: [request('/a', 4), request('/a', 1, '5xx')], mail: { waiting: 3, dead: 1 } }),
  ])
  t.strictSame(node, reading({ stalenessSeconds: 31, entries: 7, streams: 5, largeTokens: 5, breachChecksFailed: 3, keysAgeSeconds: 50, requests: [request('/a', 7), request('/b', 1), request('/a', 1, '5xx')], mail: { waiting: 3, dead: 1 } }))
})

t.test('how stale the feed is goes by the clock, and by nothing that stands still with the feed', async t => {
  const at = (now: number, ready = true) => readingOf({ clock: { now: () => now }, revocations: { ready, asOf: 1_000, size: 4 }, keyring: { readAt: performance.now() - 2_000 } } as never, new Tally(), null)
  t.match(at(1_012_500), { stalenessSeconds: 12.5, entries: 4, streams: 0 })
  t.equal(at(990_000).stalenessSeconds, 0, 'a clock that is behind the database does not make it fresher than now')
  t.equal(at(1_012_500, false).stalenessSeconds, Infinity, 'what was never read is as stale as can be')
  t.ok(Math.abs(at(0).keysAgeSeconds - 2) < 0.5)
})

t.test('what a caller may choose makes no new line: paths without a route, methods that nobody uses', async t => {
  const tally = new Tally()
  for (let n = 0; n < 100; n++) tally.count(n % 2 ? 'GET' : 'BREW', undefined, 404)
  for (const method of ['PROPFIND', 'MKCOL', 'LOCK']) tally.count(method, '/v1/me', 405)
  tally.count('GET', '/v1/me', 200)
  t.strictSame(tally.requests.map(({ method, route, status, count }) => `${method} ${route} ${status} ${count}`).sort(),
    ['GET (none) 4xx 50', 'GET /v1/me 2xx 1', 'other (none) 4xx 50', 'other /v1/me 4xx 3'])
})

t.test('the text is one that a Prometheus reads: each family once, with help and type before its samples, labels quoted', async t => {
  const lines = exposition(reading({ stalenessSeconds: 0.25, requests: [request('/a', 3), request('/odd"\\\n', 1)], mail: { waiting: 3, dead: 1 } })).split('\n')
  t.equal(lines.pop(), '', 'ends with a line break')
  const families = lines.filter(line => line.startsWith('# TYPE ')).map(line => line.split(' ')[2]!)
  t.equal(families.length, 9)
  for (const family of families) {
    t.match(family, /^stateless_auth_[a-z_]+$/)
    const own = lines.filter(line => line.includes(family))
    t.match(own[0], new RegExp(`^# HELP ${family} [^\\n]+$`))
    t.match(own[1], new RegExp(`^# TYPE ${family} (gauge|counter)$`))
    t.equal(lines.indexOf(own.at(-1)!) - lines.indexOf(own[0]!), own.length - 1, `${family} in one piece`)
  }
  t.ok(lines.includes('stateless_auth_feed_staleness_seconds 0.25'))
  t.ok(lines.includes('stateless_auth_mail_dead 1'))
  t.notMatch(exposition(reading()), 'mail_', 'what was not counted is not zero')
  t.match(exposition(reading({ stalenessSeconds: Infinity })), /^stateless_auth_feed_staleness_seconds \+Inf$/m)
  t.ok(lines.includes('stateless_auth_http_requests_total{method="GET",route="/odd\\"\\\\\\n",status="2xx"} 1'))
})
