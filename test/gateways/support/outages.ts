import type { Test } from 'tap'
import { claimsOf, passed, type Protected } from './scene.ts'

const VERIFY = /^\/(v1\/auth\/verify|oauth2\/introspect)/

/** For gateways that ask about every request: who cannot be asked lets nobody in, and signs nobody out. */
export async function failsClosed (t: Test, p: Protected): Promise<void> {
  const { ask, mine, service, upstream, address, gateway } = p
  const closed = async (t: Test, what: string, withinMs = 6_000) => {
    const answer = await ask('/private', { bearer: mine.access_token })
    if (gateway.calls401) t.equal(answer.status, 401, what, { answer })
    else t.match([answer.status, answer.headers['retry-after']], [503, /^\d+$/], what, { answer })
    t.notMatch(answer.body, /<html|\n\s+at /i)
    t.ok(answer.ms < withinMs, `${what}: ${Math.round(answer.ms)} ms`)
    t.strictSame(upstream.arrivals(), [], what)
    t.equal((await ask('/public/page')).status, 200, 'what is public stays open')
    upstream.arrivals()
  }
  const works = async (t: Test) => passed(t, p, await ask('/private', { bearer: mine.access_token }), claimsOf(p), 'and it is back')

  await t.test('the service is away: nobody is let in, and told to come again', async t => {
    service.to(null)
    await closed(t, 'away')
    service.to(address)
    await works(t)
  })

  await t.test('the service does not answer: nobody is let in, and it does not take long', async t => {
    service.answer(VERIFY, 'hang')
    await closed(t, 'slow')
    service.answer(VERIFY, null)
    await works(t)
  })

  await t.test('the service says 503 itself: so does the gateway', async t => {
    service.answer(VERIFY, 503)
    await closed(t, '503')
    service.answer(VERIFY, null)
    await works(t)
  })

  await t.test('any other answer of the service lets nobody in', async t => {
    for (const status of [204, 301, 304, 400, 403, 404, 429, 500]) {
      service.answer(VERIFY, status)
      const answer = await ask('/private', { bearer: mine.access_token })
      const [arrival] = upstream.arrivals()
      if (status === 204) { t.ok(!arrival || !arrival.headers.some(([name, value]) => /^x.auth/i.test(name) && value !== ''), 'a 2xx without headers names nobody', { arrival }); continue }
      t.ok(answer.status >= 300 && !arrival, `${status} became ${answer.status}`)
      if (!gateway.calls401) t.not(answer.status, 401, `${status} signs nobody out`)
    }
    service.answer(VERIFY, null)
    await works(t)
  })
}
