import { once } from 'node:events'
import { request as ask } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import t, { type Test } from 'tap'
import type { AccessClaims } from '../../src/sdk/claims.ts'
import type { AuthenticateOptions } from '../../src/sdk/verifier/bearer.ts'
import { authenticate as forExpress } from '../../src/sdk/verifier/express.ts'
import { authenticate as forFastify } from '../../src/sdk/verifier/fastify.ts'
import { authenticate as forHono } from '../../src/sdk/verifier/hono.ts'
import type { Verifier } from '../../src/sdk/verifier/index.ts'
import { until } from '../helpers/until.ts'
import { elsewhere } from '../helpers/verifier.ts'

type Answer = { status: number, headers: Record<string, unknown>, json: any }
type Call = (path: string, headers?: string[]) => Promise<Answer>
type Routes = Record<string, AuthenticateOptions>

const onFastify = async (t: Test, verifier: Verifier, routes: Routes): Promise<Call> => {
  const app = fastify()
  for (const [path, options] of Object.entries(routes)) app.get(path, { onRequest: forFastify(verifier, options) }, async request => ({ sub: (request as { auth?: AccessClaims }).auth!.sub }))
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(async () => await app.close())
  return overSocket(url)
}

const onExpress = async (t: Test, verifier: Verifier, routes: Routes): Promise<Call> => {
  const app = express()
  for (const [path, options] of Object.entries(routes)) app.get(path, forExpress(verifier, options), (request, response) => { response.json({ sub: (request as { auth?: AccessClaims }).auth!.sub }) })
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close(); server.closeAllConnections() })
  return overSocket(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
}

const onHono = async (_t: Test, verifier: Verifier, routes: Routes): Promise<Call> => {
  const app = new Hono<{ Variables: { auth: AccessClaims } }>()
  for (const [path, options] of Object.entries(routes)) app.get(path, forHono(verifier, options), c => c.json({ sub: c.get('auth').sub }))
  return async (path, headers = []) => {
    const fields = new Headers()
    for (let at = 0; at < headers.length; at += 2) fields.append(headers[at]!, headers[at + 1]!)
    const answer = await app.request(path, { headers: fields })
    return { status: answer.status, headers: Object.fromEntries(answer.headers as unknown as Iterable<[string, string]>), json: await answer.json() }
  }
}

const overSocket = (url: string): Call => async (path, headers = []) => {
  const [answer] = await once(ask(`${url}${path}`, { headers: ['host', 'x', ...headers] as never, agent: false }).end(), 'response')
  let body = ''
  for await (const chunk of answer) body += chunk
  return { status: answer.statusCode, headers: answer.headers, json: JSON.parse(body) }
}

for (const [name, serve] of Object.entries({ Fastify: onFastify, Express: onExpress, Hono: onHono })) {
  t.test(`in ${name} a good token reaches the handler, and each refusal has its status and its header`, async t => {
    const w = await elsewhere(t)
    const { access_token: token, refresh_token: refreshToken, user } = await w.signIn()
    const call = await serve(t, w.verifier, { '/': {}, '/admin': { scope: 'admin' }, '/money': { maxStaleness: 0.7 } })
    const bearer = ['authorization', `Bearer ${token}`]
    t.match(await call('/', bearer), { status: 200, json: { sub: user.id } })
    t.match(await call('/', ['Authorization', `bearer ${token}`]), { status: 200 }, 'the scheme has no case')

    t.match(await call('/'), { status: 401, headers: { 'www-authenticate': 'Bearer', 'cache-control': 'no-store', 'content-type': /^application\/problem\+json/ }, json: { code: 'invalid_token', status: 401 } })
    for (const authorization of ['Bearer', 'Bearer ', `Bearer  ${token}`, token, `Basic ${token}`, `Bearer ${token}, Bearer ${token}`, `Bearer ${token} x`, `Bearer ${token.slice(0, -4)}AAAA`, 'Bearer a.b.c']) {
      t.match(await call('/', ['authorization', authorization]), { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } }, authorization.slice(0, 12))
    }
    t.ok([400, 401].includes((await call('/', [...bearer, ...bearer])).status), 'two headers')
    t.match(await call(`/?access_token=${token}`, bearer), { status: 400, headers: { 'www-authenticate': 'Bearer error="invalid_request"' } }, 'two places')
    t.match(await call(`/?access_token=${token}`), { status: 400 }, 'a token in the URL')
    t.match(await call('/admin', bearer), { status: 403, headers: { 'www-authenticate': 'Bearer error="insufficient_scope", scope="admin"' } })

    w.balancer.to(null)
    await sleep(900)
    t.match(await call('/money', bearer), { status: 503, headers: { 'retry-after': '2' }, json: { code: 'stale_revocations' } })
    t.match(await call('/', bearer), { status: 200 }, 'and where it was not asked for, verification goes on')
    w.balancer.to(w.address)
    await w.call('POST', '/v1/auth/logout', { body: { refresh_token: refreshToken } })
    await until(async () => (await call('/money', bearer)).status === 401, 5_000)
    t.match(await call('/', bearer), { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } }, 'ended')

    w.balancer.to(null)
    const unready = await serve(t, w.anotherVerifier(), { '/': {} })
    t.match(await unready('/', bearer), { status: 503, headers: { 'retry-after': '2' }, json: { code: 'keys_unavailable' } })
  })
}
