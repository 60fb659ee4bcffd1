import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { databaseLink } from '../helpers/database-link.ts'
import { freshDatabase } from '../helpers/database.ts'
import { until } from '../helpers/until.ts'
import { elsewhere, type Elsewhere } from '../helpers/verifier.ts'

const STREAM = '/v1/revocations/stream'
const logOut = async ({ call }: Elsewhere, refreshToken: string) => await call('POST', '/v1/auth/logout', { body: { refresh_token: refreshToken } })
const saw = ({ events }: Elsewhere, type: string, via?: string): boolean => events.some(event => event.type === type && (via === undefined || ('via' in event && event.via === via)))

t.test('with the service switched off tokens are still accepted, unless a fresh answer was asked for; then it catches up', async t => {
  const w = await elsewhere(t)
  const [ended, living] = [await w.signIn(), await w.signIn()]
  for (const { access_token: token } of [ended, living]) t.equal(await w.ask(token, { maxStaleness: 5 }), 'good')
  await until(() => saw(w, 'feed_connected', 'stream'))

  w.balancer.to(null)
  await logOut(w, ended.refresh_token)
  await until(() => w.verifier.staleness() > 1, 5_000)
  t.equal(await w.ask(living.access_token), 'good')
  t.equal(await w.ask(living.access_token, { maxStaleness: 1 }), 'stale_revocations')
  t.equal(await w.ask(living.access_token, { maxStaleness: NaN }), 'stale_revocations', 'not a number is no permission')
  t.ok(saw(w, 'feed_failed'))
  t.equal(await w.ask(ended.access_token), 'good', 'nobody can know')

  w.balancer.to(w.address)
  await until(async () => await w.ask(ended.access_token) === 'revoked', 8_000)
  t.equal(await w.ask(living.access_token, { maxStaleness: 5 }), 'good')
})

t.test('losing the feed is told once after ten seconds, and so is finding it again', async t => {
  const w = await elsewhere(t)
  await w.ask((await w.signIn()).access_token)
  w.balancer.to(null)
  await until(() => saw(w, 'feed_stale'), 20_000)
  t.ok(w.verifier.staleness() > 10)
  t.notOk(saw(w, 'feed_fresh'))
  w.balancer.to(w.address)
  await until(() => saw(w, 'feed_fresh'), 10_000)
  t.equal(w.events.filter(event => event.type === 'feed_stale').length, 1)
})

t.test('when the node dies the feed goes on at another with its cursor, and nothing that ended between is missed', async t => {
  const w = await elsewhere(t)
  const other = await w.anotherNode()
  const address = await other.app.listen({ host: '127.0.0.1', port: 0 })
  const sessions = [await w.signIn(), await w.signIn(), await w.signIn()]
  for (const { access_token: token } of sessions) t.equal(await w.ask(token), 'good')
  await until(() => saw(w, 'feed_connected', 'stream'))
  for (const [at, to] of [address, w.address, address].entries()) {
    w.balancer.to(null)
    await logOut(w, sessions[at]!.refresh_token)
    const before = w.balancer.seen.length
    w.balancer.to(to)
    await until(async () => await w.ask(sessions[at]!.access_token) === 'revoked', 8_000)
    for (const { path, headers } of w.balancer.seen.slice(before)) t.ok(path === STREAM ? headers['last-event-id'] : path.includes('since='), 'it went on, and did not begin anew')
  }
})

t.test('where something between refuses streams, long-polling brings the endings in time', async t => {
  const w = await elsewhere(t)
  w.balancer.answer(STREAM, 404)
  const session = await w.signIn()
  t.equal(await w.ask(session.access_token), 'good')
  await until(() => saw(w, 'feed_connected', 'poll') || w.balancer.count(/wait=25/) > 0, 5_000)
  await logOut(w, session.refresh_token)
  await until(async () => await w.ask(session.access_token) === 'revoked')
  t.ok(saw(w, 'feed_connected', 'poll'))
  t.notOk(saw(w, 'feed_connected', 'stream'))
  t.equal(w.balancer.count(STREAM), 1, 'it is not tried again at every turn')
})

t.test('where something between holds streams back in silence, long-polling takes over', async t => {
  const w = await elsewhere(t)
  w.balancer.answer(STREAM, 'hang')
  const session = await w.signIn()
  t.equal(await w.ask(session.access_token), 'good')
  await until(() => w.balancer.count(/wait=25/) > 0, 10_000)
  await logOut(w, session.refresh_token)
  await until(async () => await w.ask(session.access_token) === 'revoked')
})

t.test('a feed that fails is asked again with patience, not in a loop', async t => {
  const w = await elsewhere(t)
  w.balancer.answer(/revocations/, 503)
  t.equal(await w.ask((await w.signIn()).access_token), 'good')
  await sleep(4_000)
  t.ok(w.balancer.count(/revocations/) <= 8, `${w.balancer.count(/revocations/)} requests in four seconds`)
  t.ok(w.balancer.count(/revocations/) >= 3)
  t.equal(w.verifier.staleness(), Infinity)
})

t.test('a cursor that the service no longer understands begins the feed anew', async t => {
  const w = await elsewhere(t)
  const session = await w.signIn()
  t.equal(await w.ask(session.access_token), 'good')
  await until(() => saw(w, 'feed_connected', 'stream'))
  w.balancer.answer(STREAM, 400)
  w.balancer.to(w.address) // breaks the stream
  await until(() => w.balancer.count('/v1/revocations') === 2, 8_000)
  await logOut(w, session.refresh_token)
  await until(async () => await w.ask(session.access_token) === 'revoked')
})

t.test('when the service answers and its database does not, asking for freshness fails closed', async t => {
  const link = await databaseLink(t, await freshDatabase(t))
  const w = await elsewhere(t, { DATABASE_URL: link.url })
  const { access_token: token } = await w.signIn()
  t.equal(await w.ask(token, { maxStaleness: 5 }), 'good')
  await link.cut()
  await until(() => w.verifier.staleness() > 2, 8_000)
  t.equal(await w.ask(token, { maxStaleness: 2 }), 'stale_revocations')
  t.equal(await w.ask(token), 'good')
  await link.mend()
  await until(async () => await w.ask(token, { maxStaleness: 2 }) === 'good', 8_000)
})

t.test('a clock that lags an hour cannot hide that the feed is silent', async t => {
  const w = await elsewhere(t)
  t.equal(await w.ask((await w.signIn()).access_token), 'good')
  w.balancer.to(null)
  const now = Date.now
  t.teardown(() => { Date.now = now })
  Date.now = () => now() - 3_600_000
  t.ok(w.verifier.staleness() < 2)
  await until(() => w.verifier.staleness() > 2, 5_000)
})

t.test('a hundred calls that need a fresher copy share one read', async t => {
  const w = await elsewhere(t)
  const { access_token: token } = await w.signIn()
  t.equal(await w.ask(token), 'good')
  await until(() => saw(w, 'feed_connected', 'stream'))
  await until(() => w.verifier.staleness() > 2, 5_000)
  const before = w.balancer.count(/since=/)
  const outcomes = await Promise.all(Array.from({ length: 100 }, async () => await w.ask(token, { maxStaleness: 2 })))
  t.strictSame(new Set(outcomes), new Set(['good']))
  t.equal(w.balancer.count(/since=/) - before, 1)
})

t.test('a verifier that was closed asks for nothing any more, and still verifies with what it has', async t => {
  const w = await elsewhere(t)
  const { access_token: token } = await w.signIn()
  t.equal(await w.ask(token), 'good')
  w.verifier.close()
  const before = w.balancer.seen.length
  await sleep(1_500)
  t.equal(await w.ask(token), 'good')
  t.equal(await w.ask(token, { maxStaleness: 1 }), 'stale_revocations')
  t.equal(w.balancer.seen.length, before)
})
