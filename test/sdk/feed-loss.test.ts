import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { until } from '../helpers/until.ts'
import { elsewhere, type Elsewhere } from '../helpers/verifier.ts'

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

t.test('a feed that fails is asked again with patience, not in a loop', async t => {
  const w = await elsewhere(t)
  w.balancer.answer(/revocations/, 503)
  t.equal(await w.ask((await w.signIn()).access_token), 'good')
  await sleep(4_000)
  t.ok(w.balancer.count(/revocations/) <= 8, `${w.balancer.count(/revocations/)} requests in four seconds`)
  t.ok(w.balancer.count(/revocations/) >= 3)
  t.equal(w.verifier.staleness(), Infinity)
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

// Its stream used to stay open, and what ended elsewhere was not heard of until the node had its database back.
t.test('a verifier leaves a node that has lost its database for one that has not', async t => {
  const w = await elsewhere(t)
  const other = await w.anotherNode()
  const session = await w.signIn()
  t.equal(await w.ask(session.access_token), 'good')
  await until(() => saw(w, 'feed_connected'))
  w.ctx.revocations.stop() // it reads no more; its ticks go on with the time it knows
  w.balancer.turnTo(await other.app.listen({ host: '127.0.0.1', port: 0 }))
  await other.call('POST', '/v1/auth/logout', { body: { refresh_token: session.refresh_token } })
  await until(async () => await w.ask(session.access_token) === 'revoked', 40_000)
  t.pass('and hears what has ended')
})

// Each break used to count as one more failure in a row: after five dead nodes it waited for up to five seconds.
t.test('however often its stream breaks, a verifier is back soon', async t => {
  const w = await elsewhere(t)
  t.equal(await w.ask((await w.signIn()).access_token), 'good')
  const connected = () => w.events.filter(({ type }) => type === 'feed_connected').length
  for (let round = 1; round <= 8; round++) {
    await until(() => connected() === round, 2_000)
    w.balancer.to(w.address) // cuts what is open
  }
  await until(() => connected() === 9, 2_000)
  t.ok(w.events.filter(({ type }) => type === 'feed_connected').every(event => 'via' in event && event.via === 'stream'))
})
