import { decodeJwt } from 'jose'
import type { Test } from 'tap'
import { forgeFrom } from '../../helpers/forge.ts'
import { goodTokens, hostileRsaTokens, hostileTokens, watchedUrl, type Shapes } from '../../helpers/hostile-tokens.ts'
import { raw, request } from './gateway.ts'
import { claimsOf, identity, passed, refused, type Protected } from './scene.ts'

/** Whitespace around a header's value is no part of it (RFC 9110 §5.5): no server ever sees these. */
const SAME_ON_THE_WIRE = ['a tab after it']

/** Good tokens pass whatever the request is; what no verifier may accept does not. */
export async function judgesTokens (t: Test, p: Protected): Promise<void> {
  const { ctx, mine, ask, gateway, clock, signIn, call, service, upstream } = p
  const good = mine.access_token
  const forged = forgeFrom(ctx, good)
  const now = Math.floor(clock.now() / 1000)
  const claims = claimsOf(p)

  await t.test('a good token passes, and the application is told who it is', async t => {
    for (const [name, token] of Object.entries(goodTokens({ forged, good, now }))) passed(t, p, await ask('/private', { bearer: token }), decodeJwt(token), name)
    passed(t, p, await ask('/private', { headers: { authorization: `bearer ${good}` } }), claims, 'the scheme in small letters')
    const admin = forged.forge({ claims: { roles: ['admin', 'staff'], scope: 'account admin' } })
    passed(t, p, await ask('/private', { bearer: admin }), { ...claims, roles: ['admin', 'staff'], scope: 'account admin' }, 'of a user with roles')
  })

  await t.test('every method passes with its body, and the body goes to the application only', async t => {
    const body = 'a body '.repeat(40_000)
    const chunked = `5\r\nhello\r\n${(6).toString(16)}\r\n world\r\n0\r\n\r\n`
    for (const [name, method, headers, sent, arrives] of [
      ['GET', 'GET', {}, '', ''], ['HEAD', 'HEAD', {}, '', ''], ['OPTIONS', 'OPTIONS', {}, '', ''], ['DELETE', 'DELETE', {}, '', ''],
      ['POST', 'POST', { 'content-length': '5' }, 'hello', 'hello'], ['PUT of 280 kB', 'PUT', { 'content-length': String(body.length) }, body, body],
      ['PATCH in chunks', 'PATCH', { 'transfer-encoding': 'chunked' }, chunked, 'hello world'],
      ['POST that waits to be asked', 'POST', { 'content-length': '5', expect: '100-continue' }, 'hello', 'hello'],
    ] as const) {
      const before = service.seen.length
      const arrival = passed(t, p, await ask('/private/thing?a=1&b=%2F', { method, headers, body: sent, bearer: good }), claims, name)
      t.strictSame([arrival?.method, arrival?.url, arrival?.body], [method, '/private/thing?a=1&b=%2F', arrives], `${name}: as it was sent`)
      for (const asked of service.seen.slice(before).filter(({ path }) => !/^\/(v1\/revocations|oauth2\/introspect)/.test(path))) {
        t.notOk(Number(asked.headers['content-length'] ?? 0) > 0 || asked.headers['transfer-encoding'], `${name}: no body to the service`, asked)
        t.notOk(asked.path.includes('?'), `${name}: nor what is in the URL`)
      }
    }
  })

  await t.test('without a token, or with one elsewhere than in the Authorization header, nobody gets in', async t => {
    refused(t, p, await ask(), 'nothing')
    for (const method of ['HEAD', 'OPTIONS', 'POST', 'PUT', 'DELETE', 'PROPFIND']) {
      const answer = await ask('/private', { method, ...(['POST', 'PUT'].includes(method) && { headers: { 'content-length': '5' }, body: 'hello' }) })
      t.ok([401, 405, 501].includes(answer.status), `${method}: ${answer.status}`)
      t.strictSame(upstream.arrivals(), [])
    }
    for (const headers of [
      [`Authorization: ${good}`], ['Authorization: Bearer'], ['Authorization: Bearer '], [`Authorization: Basic ${good}`], [`Authorization: Token ${good}`], [`X-Authorization: Bearer ${good}`],
      [`Proxy-Authorization: Bearer ${good}`], [`Cookie: access_token=${good}; __Host-rt=${good}`], [`Authorization: Bearer, Bearer ${good}`], [`Authorization: Bearer${good}`],
    ]) refused(t, p, await ask('/private', { headers }), headers[0]!.slice(0, 40))
    for (const method of ['OPTIONS', 'PUT', 'DELETE']) refused(t, p, await ask('/private', { method, bearer: `${good}x` }), `${method} with a bad token`)
    refused(t, p, await ask(`/private?access_token=${good}`), 'in the URL')
    refused(t, p, await ask('/private', { method: 'POST', headers: ['Content-Type: application/x-www-form-urlencoded', `Content-Length: ${good.length + 13}`], body: `access_token=${good}` }), 'in the body')
  })

  await t.test('of two Authorization headers the application never sees the one that was not verified', async t => {
    const other = (await signIn()).access_token
    for (const headers of [
      [`Authorization: Bearer ${good}`, `Authorization: Bearer ${other}`], [`Authorization: Bearer ${good}`, 'authorization: Bearer nonsense'],
      ['Authorization: Bearer nonsense', `authorization: Bearer ${good}`], [`Authorization: Basic YTpi, Bearer ${good}`], [`Authorization: Bearer ${good}, Bearer ${other}`],
    ]) {
      const { status } = await ask('/private', { headers })
      const [arrival] = upstream.arrivals()
      if (!arrival) { t.ok([400, 401].includes(status), `${status}`); continue }
      t.strictSame(arrival.headers.filter(([name]) => name.toLowerCase() === 'authorization').map(([, value]) => value), [`Bearer ${good}`], headers.map(line => line.slice(0, 30)).join())
    }
  })

  await t.test('what no verifier may accept is refused with 401 and does not reach the application', async t => {
    const elsewhere = await watchedUrl(t)
    const groups = await hostileTokens({ forged, good, now, elsewhere: elsewhere.url, refreshToken: (await signIn()).refresh_token, jwks: (await call('GET', '/.well-known/jwks.json')).body })
    const accepts = gateway.accepts ?? {}
    const met = new Set<string>()
    for (const [group, shapes] of Object.entries(groups)) {
      await t.test(group, async t => {
        for (const [shape, token] of Object.entries(shapes)) {
          if (SAME_ON_THE_WIRE.includes(shape)) continue
          const answer = await ask('/private', { bearer: token })
          if (shape in accepts) { met.add(shape); t.equal(answer.status, 200, `documented: ${shape}`); upstream.arrivals(); continue }
          // A line break or NUL ends the header, or the request.
          if (/[\n\r\0]/.test(token)) { t.ok([0, 400, 401].includes(answer.status), `${shape}: ${answer.status}`); t.strictSame(upstream.arrivals(), [], shape); continue }
          refused(t, p, answer, shape)
        }
      })
    }
    t.strictSame([...met].sort(), Object.keys(accepts).sort(), 'every documented exception was met')
    t.equal(elsewhere.connections(), 0, 'nothing was fetched')
    for (const [name, parts] of Object.entries({ 'of another issuer': { iss: 'https://auth.other.example' }, 'for another audience': { aud: 'https://other.example' }, expired: { exp: now - 61 } })) {
      refused(t, p, await ask('/private', { bearer: forged.forge({ claims: parts }) }), `a true signature, ${name}`)
    }
    passed(t, p, await ask('/private', { bearer: good }), claims, 'and the good token is still good')
  })

  await t.test('a member given twice never makes two readers see two users', async t => {
    for (const member of ['"sub":"01930f4e-8a3b-7c2d-9e1f-0a1b2c3d4e5f"', '"roles":["admin"]', '"scope":"account admin"', `"exp":${now + 900}`]) {
      const { status } = await ask('/private', { bearer: forged.forge({ rawPayload: `{${member},${JSON.stringify(forged.claims).slice(1)}` }) })
      const [arrival] = upstream.arrivals()
      if (arrival) t.strictSame(identity(arrival), { subject: claims.sub, session: claims.sid, scope: claims.scope, roles: '' }, member)
      else t.equal(status, 401, member)
    }
  })
}

/** For a node that signs RS256. */
export async function judgesRsaTokens (t: Test, p: Protected): Promise<void> {
  const forged = forgeFrom(p.ctx, p.mine.access_token)
  t.equal(forged.header.alg, 'RS256')
  passed(t, p, await p.ask('/private', { bearer: p.mine.access_token }), claimsOf(p), 'RS256')
  for (const [shape, token] of Object.entries<string>(hostileRsaTokens(forged) satisfies Shapes)) refused(t, p, await p.ask('/private', { bearer: token }), shape)
  t.equal((await raw(p.gateway.port, request('GET', '/private'))).status, 401)
}
