import t from 'tap'
import { newClient, post, tokenOf } from '../helpers/oauth.ts'
import { relayed } from '../helpers/relay.ts'
import { until } from '../helpers/until.ts'

t.test('where the upstream keeps its feed to clients, a relay follows with a client\'s credentials, and keeps it as close', async t => {
  const w = await relayed(t, { FEED_ACCESS: 'client' })
  t.equal((await w.relay.call('GET', '/readyz')).statusCode, 503, 'without credentials it hears nothing')
  t.ok(w.relay.logLines().some(line => line['err'] === 'it answered 401 to /v1/revocations'))

  const client = await newClient(w, { scope: 'introspect' })
  const relay = await w.anotherRelay(w.wire.url.replace('http://', `http://${client.id}:${client.secret}@`))
  await until(async () => (await relay.call('GET', '/readyz')).statusCode === 200, 10_000)
  const { access_token: token, refresh_token: refresh } = await w.signIn()
  t.equal((await relay.call('GET', '/v1/auth/verify', { bearer: token })).statusCode, 200)
  const bearer = await tokenOf(w, client)
  for (const url of ['/v1/revocations', '/v1/revocations?xid=true']) {
    t.equal((await relay.call('GET', url)).statusCode, 401, `${url}, nobody`)
    t.equal((await relay.call('GET', url, { bearer: token })).statusCode, 403, `${url}, a user`)
    t.equal((await relay.call('GET', url, { bearer })).statusCode, 200, `${url}, a service with the scope`)
  }
  await w.call('POST', '/v1/auth/logout', { body: { refresh_token: refresh } })
  await until(async () => (await relay.call('GET', '/v1/auth/verify', { bearer: token })).statusCode === 401, 5_000)
})

t.test('a relay introspects for bearers with that scope, from memory, and says 503 where it knows nothing', async t => {
  const w = await relayed(t)
  const client = await newClient(w, { scope: 'introspect' })
  const bearer = await tokenOf(w, client)
  const { access_token: token, refresh_token: refresh, user } = await w.signIn()
  const ask = async (relay = w.relay) => await post(relay, '/oauth2/introspect', { token }, { bearer })
  t.match((await ask()).json(), { active: true, sub: user.id })
  t.equal((await post(w.relay, '/oauth2/introspect', { token }, { bearer: token })).statusCode, 403)
  await w.call('POST', '/v1/auth/logout', { body: { refresh_token: refresh } })
  await until(async () => (await ask()).json().active === false, 5_000)
  w.wire.to(null)
  t.strictSame((await ask()).json(), { active: false }, 'also without the upstream')
  const young = await w.anotherRelay()
  const answer = await ask(young)
  t.equal(answer.statusCode, 503, 'never "not active" for want of knowing')
  t.ok(Number(answer.headers['retry-after']) > 0)
})
