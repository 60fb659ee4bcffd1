import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { AuthError } from '../../src/sdk/client/index.ts'
import { browser, isTo, moveClock, newCredentials, problem, REFRESH, signedInTab } from '../helpers/browser.ts'
import { freshDatabase } from '../helpers/database.ts'
import { send, startProcess } from '../helpers/processes.ts'
import { proxy } from '../helpers/proxy.ts'
import { until } from '../helpers/until.ts'
import { PASSWORD } from '../helpers/world.ts'

// Tabs in this process, the service in another: their clocks are not the same one.
const database = await freshDatabase(t)
const { url } = await startProcess(t, database)
/** Longer than an access token lives. */
const LIFETIME = 700

/** What a call that fails says. */
const failure = async (work: Promise<unknown>): Promise<AuthError> => await work.then(() => { throw new Error('it did not fail') }, error => error as AuthError)

/** Another service, which asks ours about the token of each call. `refusals` are answered first. */
async function service (t: Test, { refusals }: { refusals: number }) {
  const seen: { authorization: string, body: string }[] = []
  const server = createServer(async (request, response) => {
    const body = await new Response(request as never).text()
    seen.push({ authorization: request.headers.authorization!, body })
    const { status } = refusals-- > 0 ? { status: 401 } : await send(url, 'GET', '/v1/auth/verify', { bearer: request.headers.authorization!.slice(7) })
    response.writeHead(status).end(body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close(); server.closeAllConnections() })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/things`, seen }
}

t.test('a page signs up, signs in, calls, is loaded again and signs out', async t => {
  const b = browser(t, url)
  const auth = b.tab()
  const credentials = newCredentials()
  let changes = 0
  const unsubscribe = auth.subscribe(() => { changes++ })
  t.equal(auth.state.status, 'unknown')
  t.equal((await auth.restore()).status, 'signed_out')
  t.match(await auth.signUp({ ...credentials, name: 'Ada' }), { status: 'created', user: { email: credentials.email } })
  t.match(await auth.signIn(credentials), { email: credentials.email, name: 'Ada' })
  const { state } = auth
  t.match((await auth.api.GET('/v1/me')).data, { email: credentials.email })
  t.equal(auth.state, state, 'the same object until it changes')
  await auth.api.PATCH('/v1/me', { body: { name: 'Ada L.' } })
  t.match(auth.state, { status: 'signed_in', user: { name: 'Ada L.' } })
  t.equal(changes, 3)
  unsubscribe()

  const reloaded = b.tab()
  t.match(await reloaded.restore(), { status: 'signed_in', user: { name: 'Ada L.' } })
  t.equal((await reloaded.fetch(`${url}/v1/auth/verify`)).status, 200)
  t.strictSame([auth.signedOut, b.refreshes()], [[], 2], 'who was not signed in is not signed out')
  await auth.signOut()
  t.match([auth.state.status, auth.signedOut], ['signed_out', [{ reason: 'signed_out', user: { name: 'Ada L.' } }]])
  t.notOk(b.jar.has('__Host-rt'))
  t.equal((await failure(auth.fetch(`${url}/v1/me`))).code, 'no_session', 'and nothing is sent without a token')
  t.equal(changes, 3)
})

t.test('twenty calls at once after the token has expired cost one refresh, in an old browser too', async t => {
  for (const shares of [true, false]) {
    const { b, auth } = await signedInTab(t, url, browser(t, url, { shares }))
    moveClock(t, LIFETIME)
    const answers = await Promise.all(Array.from({ length: 20 }, async () => await auth.api.GET('/v1/me')))
    t.ok(answers.every(({ response }) => response.status === 200))
    t.equal(b.refreshes(), 1)
  }
})

t.test('a refresh whose answer is lost is repeated, also when its node died of it', async t => {
  const balancer = await proxy(t)
  balancer.to(url)
  const { auth } = await signedInTab(t, balancer.url)
  const doomed = await startProcess(t, database, { preload: new URL('../helpers/die-before-answer.ts', import.meta.url).href, env: { TEST_DIES_ANSWERING: REFRESH } })
  balancer.turnTo(doomed.url)
  const moved = doomed.ended.then(() => { balancer.turnTo(url) })
  moveClock(t, LIFETIME)
  t.equal((await auth.fetch(`${balancer.url}/v1/auth/verify`)).status, 200)
  await moved
  t.equal(doomed.child.signalCode, 'SIGKILL')
  t.equal(balancer.count('/v1/auth/refresh'), 2)
  t.strictSame([auth.state.status, auth.signedOut], ['signed_in', []])
})

t.test('a service that is away signs nobody out: calls wait, then say so, and go on when it is back', async t => {
  const { b, auth } = await signedInTab(t, url)
  moveClock(t, 0.95 * 600)
  b.wire(async (request, goOn) => isTo(request, REFRESH) ? problem(503, 'database_unavailable', { 'retry-after': '1' }) : await goOn())
  t.equal((await auth.fetch(`${url}/v1/auth/verify`)).status, 200, 'a token that is still good is sent without waiting')
  await until(() => b.refreshes() === 1)
  t.equal((await auth.fetch(`${url}/v1/auth/verify`)).status, 200)

  moveClock(t, LIFETIME)
  const began = performance.now()
  const waiting = auth.api.GET('/v1/me')
  await until(() => b.refreshes() === 2)
  t.ok(performance.now() - began >= 1000, 'it came back when it was told to')
  b.wire(null)
  t.match((await waiting).data, { email: auth.state.user!.email })

  const faults = [
    [async () => problem(503, 'database_unavailable', { 'retry-after': '60' }), { code: 'database_unavailable', status: 503, retryAfter: 60, requestId: 'r' }],
    [async () => { throw new TypeError('fetch failed') }, { code: 'network_error', status: 0 }],
    [async () => new Response('<h1>Bad gateway</h1>', { status: 502 }), { code: 'unexpected_answer', status: 502 }],
    [async () => new Response(new ReadableStream({ start: stream => stream.error(new Error('cut')) })), { code: 'network_error', status: 0 }],
  ] as const
  const browsers = await Promise.all(faults.map(async () => await signedInTab(t, url)))
  moveClock(t, LIFETIME)
  await Promise.all(faults.map(async ([fault, expected], index) => {
    const { b, auth } = browsers[index]!
    b.wire(async (request, goOn) => isTo(request, REFRESH) ? await fault() : await goOn())
    const fresh = b.tab()
    const errors = await Promise.all([failure(auth.fetch(`${url}/v1/auth/verify`)), failure(fresh.restore())])
    for (const error of errors) {
      t.ok(error instanceof AuthError)
      t.match(error, expected)
    }
    t.equal(fresh.state.status, 'unknown', 'a page that cannot know says neither')
    b.wire(null)
    t.equal((await auth.fetch(`${url}/v1/auth/verify`)).status, 200)
    t.strictSame([auth.state.status, auth.signedOut], ['signed_in', []])
  }))
})

t.test('another service that refuses the token gets the same call once more, with a fresh one', async t => {
  const { b, auth } = await signedInTab(t, url)
  const other = await service(t, { refusals: 1 })
  const answer = await auth.fetch(new Request(other.url, { method: 'POST', body: 'one' }))
  t.strictSame([answer.status, await answer.text(), b.refreshes()], [200, 'one', 1])
  t.strictSame(other.seen.map(({ body }) => body), ['one', 'one'])
  t.not(other.seen[0]!.authorization, other.seen[1]!.authorization)

  const stubborn = await service(t, { refusals: 100 })
  t.equal((await auth.fetch(stubborn.url, { method: 'PUT', body: 'two' })).status, 401, 'what a fresh token does not help is answered')
  t.equal((await auth.fetch(stubborn.url)).status, 401)
  t.strictSame([stubborn.seen.length, b.refreshes()], [3, 2], 'and is not tried again with the same one')
  t.equal((await auth.fetch(other.url)).status, 200)
})

t.test('a session that was ended on another device is told once, whichever calls find out', async t => {
  const { b, auth, user, credentials } = await signedInTab(t, url)
  const elsewhere = browser(t, url).tab()
  await elsewhere.signIn(credentials)
  await elsewhere.signOutEverywhere()
  await until(async () => (await send(url, 'GET', '/v1/revocations')).json.e.length > 0)
  const calls = await Promise.all(Array.from({ length: 5 }, async () => await failure(auth.api.GET('/v1/me'))))
  t.ok(calls.every(({ code }) => code === 'session_ended'))
  t.strictSame(auth.signedOut, [{ reason: 'session_ended', user }])
  t.strictSame([auth.state.status, b.refreshes(), b.jar.has('__Host-rt')], ['signed_out', 1, false])
  await auth.signIn(credentials)
  const { data } = await auth.api.GET('/v1/me/sessions')
  await auth.api.DELETE('/v1/me/sessions/{sid}', { params: { path: { sid: data.items.find(({ current }) => current)!.sid } } })
  await until(() => auth.signedOut.length === 2)
  t.equal(auth.signedOut[1]!.reason, 'session_ended', 'as when it is ended from its own list')
})

t.test('a sign-out that a database was away for is repeated, although the cookie went with the first answer', async t => {
  const { b, auth } = await signedInTab(t, url)
  let authorization = ''
  b.wire(async (request, goOn) => {
    if (isTo(request, 'GET /v1/me')) authorization = request.headers.get('authorization')!
    if (!isTo(request, 'POST /v1/auth/logout') || !b.jar.delete('__Host-rt')) return await goOn()
    return problem(503, 'database_unavailable', { 'retry-after': '0' })
  })
  await auth.api.GET('/v1/me')
  await auth.signOut()
  t.match(auth.signedOut, [{ reason: 'signed_out' }])
  await t.resolves(until(async () => (await fetch(`${url}/v1/auth/verify`, { headers: { authorization } })).status === 401))
})

t.test('errors have the codes of the service, and a wrong password is no reason to refresh', async t => {
  const { b, auth, credentials } = await signedInTab(t, url)
  t.match(await failure(auth.signIn({ ...credentials, password: 'wrong' })), { name: 'AuthError', code: 'invalid_credentials', status: 401, requestId: /./ })
  const weak = await failure(auth.signUp({ ...newCredentials(), password: 'short' }))
  t.match(weak, { code: 'weak_password', status: 400, errors: [{ pointer: '/password' }] })
  t.equal((await failure(auth.api.POST('/v1/me/password', { body: { current_password: 'wrong', new_password: PASSWORD } }))).code, 'invalid_credentials')
  const given = new AbortController()
  b.wire(async (_request, goOn) => { given.abort(); return await goOn() })
  t.equal((await failure(auth.api.POST('/v1/password-reset', { body: { email: credentials.email }, signal: given.signal })) as Error).name, 'AbortError', 'who gives up is told just that')
  t.equal(b.refreshes(), 0)
  t.strictSame([auth.state.status, auth.signedOut], ['signed_in', []])
})

t.test('a new password goes on with the tokens of the new session; a deleted account is signed out', async t => {
  const { b, auth } = await signedInTab(t, url)
  const second = b.tab()
  await second.restore()
  const next = `${PASSWORD} ${randomUUID()}`
  await auth.api.POST('/v1/me/password', { body: { current_password: PASSWORD, new_password: next } })
  const before = b.refreshes()
  t.equal((await auth.api.GET('/v1/me')).response.status, 200)
  await until(async () => (await second.fetch(`${url}/v1/auth/verify`)).status === 200)
  t.equal(b.refreshes(), before, 'in every tab')
  await auth.api.POST('/v1/me/delete', { body: { password: next } })
  t.match(auth.signedOut, [{ reason: 'signed_out' }])
})

t.test('a client whose clock is wrong by hours, or is set while it runs, refreshes no more than others', async t => {
  for (const hours of [-9, 9]) {
    moveClock(t, hours * 3600)
    const { b, auth } = await signedInTab(t, url)
    for (let call = 0; call < 3; call++) t.equal((await auth.fetch(`${url}/v1/auth/verify`)).status, 200)
    t.equal(b.refreshes(), 0)
    moveClock(t, -hours * 3600)
    t.equal((await auth.fetch(`${url}/v1/auth/verify`)).status, 200)
    t.ok(b.refreshes() <= 1)
  }
})

t.test('only what may be is sent again: a sign-up is one account, a sign-in one try', async t => {
  const b = browser(t, url)
  const auth = b.tab()
  const credentials = newCredentials()
  const lost = new Set<string>()
  b.wire(async (request, goOn) => {
    const answer = await goOn()
    const first = !lost.has(request.url)
    lost.add(request.url)
    if (first) throw new TypeError('fetch failed')
    return answer
  })
  t.equal((await auth.signUp(credentials)).status, 'created')
  t.equal(b.count('POST /v1/auth/register'), 2)
  t.equal((await failure(auth.signIn(credentials))).code, 'network_error')
  t.equal(b.count('POST /v1/auth/login'), 1)
  await auth.signIn(credentials)
  let busy = true
  b.wire(async (request, goOn) => {
    if (!busy || !isTo(request, 'POST /v1/auth/login')) return await goOn()
    busy = false
    return problem(503, 'login_busy', { 'retry-after': '0' })
  })
  await auth.signIn(credentials)
  t.equal(b.count('POST /v1/auth/login'), 4, 'a full queue has done nothing yet')
  lost.clear()
  b.wire(async (request, goOn) => {
    const answer = await goOn()
    if (lost.size > 0 || !isTo(request, 'POST /v1/auth/logout-all')) return answer
    lost.add('')
    throw new TypeError('fetch failed')
  })
  await t.resolves(auth.signOutEverywhere(), 'signing out is repeated, and has been done')
  t.equal(auth.signedOut.length, 1)
})
