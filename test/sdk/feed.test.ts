import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { databaseLink } from '../helpers/database-link.ts'
import { freshDatabase } from '../helpers/database.ts'
import { until } from '../helpers/until.ts'
import { elsewhere, type Elsewhere } from '../helpers/verifier.ts'

const STREAM = '/v1/revocations/stream'
const logOut = async ({ call }: Elsewhere, refreshToken: string) => await call('POST', '/v1/auth/logout', { body: { refresh_token: refreshToken } })
const saw = ({ events }: Elsewhere, type: string, via?: string): boolean => events.some(event => event.type === type && (via === undefined || ('via' in event && event.via === via)))

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
  // What the service knows is no newer than this; a verifier that lags may have older, and would still get it.
  const cutAt = performance.now()
  await until(() => performance.now() - cutAt > 2_000 && w.verifier.staleness() > 2, 8_000)
  t.equal(await w.ask(token, { maxStaleness: 2 }), 'stale_revocations')
  t.equal(await w.ask(token), 'good')
  await link.mend()
  await until(async () => await w.ask(token, { maxStaleness: 2 }) === 'good', 8_000)
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
