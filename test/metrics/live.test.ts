import t from 'tap'
import { exposition } from '../../src/metrics/exposition.ts'
import { readingOf } from '../../src/metrics/read.ts'
import { forgeFrom } from '../helpers/forge.ts'
import { PASSWORD, world, type World } from '../helpers/world.ts'

/** Name, with labels, → value. */
function scrape ({ ctx, app }: Pick<World, 'ctx' | 'app'>): Map<string, number> {
  const samples = exposition(readingOf({ ctx, tally: app.tally })).trim().split('\n').filter(line => !line.startsWith('#'))
  return new Map(samples.map(line => [line.slice(0, line.lastIndexOf(' ')).replace('stateless_auth_', ''), Number(line.slice(line.lastIndexOf(' ') + 1))]))
}

t.test('each attempt is counted once, by what came of it', async t => {
  const w = await world(t)
  const { email } = await w.signUp()
  const first = await w.signIn(email)
  const { refresh_token: second, access_token: access } = (await w.refresh(first.refresh_token)).json()
  const third = (await w.refresh(second)).json()
  await w.call('POST', '/v1/auth/login', { body: { email, password: `${PASSWORD} not` } })
  await w.call('POST', '/v1/auth/login', { body: { email: 1 } })
  await w.call('POST', '/v1/auth/refresh', { body: {} })
  await w.refresh('nonsense')

  const { forge } = forgeFrom(w.ctx, access)
  await w.verify(access)
  await w.verify('nonsense')
  await w.verify(forge({ claims: { exp: 1_000 } }))
  await w.verify(`${access.slice(0, -4)}AAAA`)
  await w.verify(forge({ header: { kid: 'x'.repeat(43) } }))
  t.equal((await w.refresh(first.refresh_token)).statusCode, 401, 'an old one ends its session')
  t.equal((await w.verify(third.access_token)).statusCode, 401)

  const seen = scrape(w)
  const counted = (family: string) => Object.fromEntries([...seen].flatMap(([name, value]) => name.startsWith(`${family}{`) && value > 0 ? [[/outcome="(\w+)"/.exec(name)![1], value]] : []))
  t.strictSame(counted('sign_ins_total'), { ok: 1, invalid_credentials: 1, other: 1 })
  t.strictSame(counted('refreshes_total'), { ok: 2, no_session: 1, session_ended: 1, reuse: 1 })
  t.strictSame(counted('verifications_total'), { accepted: 1, malformed: 1, expired: 1, invalid: 1, unknown_key: 1, revoked: 1 })
  t.equal(seen.get('access_token_bytes_count'), 3)
  t.equal(seen.get('password_hash_wait_seconds_count'), 3)
  t.equal(seen.get('http_request_duration_seconds_bucket{method="POST",route="/v1/auth/login",le="+Inf"}'), 3)
  t.ok(seen.get('signing_key_age_seconds{use="at"}')! < 60)
  t.ok(seen.get('signing_key_rotation_seconds{use="at"}')! > 0)

  w.app.tally.verified('accepted', 'hit')
  t.equal(scrape(w).get('verifications_total{outcome="accepted",cache="hit"}'), 1, 'a cache has its own line, once there is one')
})

t.test('whoever sends odd things makes no series: their number stays what it was', async t => {
  const w = await world(t)
  const odd = ['"', '\\', '\n', '}', ' 1\nstateless_auth_x 1', 'é', '__proto__', 'x'.repeat(300), '{{canary}}']
  const once = async (text: string) => {
    const path = encodeURIComponent(text)
    const urls = [`/${path}`, `/v1/me/${path}`, `/v1/auth/verify?x=${path}`, '/v1/auth/login', '/v1/auth/refresh']
    for (const [method, url] of ['GET', 'POST', 'DELETE'].flatMap(method => urls.map(url => [method, url] as const))) {
      await w.app.inject({ method: method as 'GET', url, headers: { authorization: `Bearer ${path}`, 'user-agent': path, 'x-forwarded-for': path, 'content-type': 'application/json' }, ...method === 'POST' && { payload: JSON.stringify({ email: text, password: text, refresh_token: text, [text]: 1 }) } })
    }
  }
  await once('plain')
  await once('x'.repeat(300))
  const before = scrape(w)
  for (const text of odd) await once(text)
  const after = scrape(w)
  t.strictSame([...after.keys()].filter(name => !before.has(name)), [])
  t.notMatch([...after.keys()].join(), /canary|proto|%/)
  t.ok(after.size < 400, `${after.size} series`)
})
