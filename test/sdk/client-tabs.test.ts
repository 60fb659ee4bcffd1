import t, { type Test } from 'tap'
import { browser, isTo, moveClock, newCredentials, REFRESH, signedInTab, type Browser } from '../helpers/browser.ts'
import { freshDatabase } from '../helpers/database.ts'
import { send, startProcess } from '../helpers/processes.ts'
import { until } from '../helpers/until.ts'

// Tabs in this process, the service in another.
const { url } = await startProcess(t, await freshDatabase(t))
/** Longer than an access token lives. */
const LIFETIME = 700
const verify = `${url}/v1/auth/verify`

const tabsOf = async (b: Browser, count: number) => await Promise.all(Array.from({ length: count }, async () => {
  const tab = b.tab()
  await tab.restore()
  return tab
}))

/** Holds the answers to `what` until it is told to go on. */
function heldUp (b: Browser, what: string) {
  let go = (): void => {}
  const gate = new Promise<void>(resolve => { go = resolve })
  let arrived = 0
  b.wire(async (request, goOn) => {
    const answer = isTo(request, what) ? await goOn().finally(() => { arrived++ }) : await goOn()
    if (isTo(request, what)) await gate
    return answer
  })
  return { go, arrived: async () => { await until(() => arrived > 0) } }
}

t.test('ten tabs whose tokens expire at once cost one refresh, and each has a token', async t => {
  const { b, user } = await signedInTab(t, url)
  const tabs = await tabsOf(b, 10)
  t.equal(b.refreshes(), 1, 'ten that are opened at once too')
  t.ok(tabs.every(({ state }) => state.user?.id === user.id))
  for (let lifetime = 1; lifetime <= 3; lifetime++) {
    moveClock(t, LIFETIME)
    const answers = await Promise.all(tabs.map(async tab => await tab.fetch(verify)))
    t.ok(answers.every(({ status }) => status === 200))
    t.equal(b.refreshes(), 1 + lifetime)
  }
  t.strictSame(tabs.flatMap(({ signedOut }) => signedOut), [])
})

t.test('ten tabs of a browser without locks and channels are kept signed in by the service', async t => {
  const { b } = await signedInTab(t, url, browser(t, url, { shares: false }))
  const tabs = await tabsOf(b, 10)
  for (let lifetime = 0; lifetime < 3; lifetime++) {
    moveClock(t, LIFETIME)
    const answers = await Promise.all(tabs.map(async tab => await tab.fetch(verify)))
    t.ok(answers.every(({ status }) => status === 200))
  }
  t.equal(b.refreshes(), 40)
  t.strictSame(tabs.flatMap(({ signedOut }) => signedOut), [])
})

t.test('what is signed out in one tab is signed out in all, also in one that is just refreshing', async t => {
  const { b, auth, user } = await signedInTab(t, url)
  const [second, busy] = await tabsOf(b, 2)
  moveClock(t, LIFETIME)
  const refresh = heldUp(b, REFRESH)
  const call = busy!.fetch(verify).then(({ status }) => status, error => error.code)
  await refresh.arrived()
  const signingOut = auth.signOut()
  refresh.go()
  await signingOut
  await until(() => second!.state.status === 'signed_out' && busy!.state.status === 'signed_out')
  t.match([200, 401, 'no_session'].includes(await call as never), true, 'the call had a token in time, or none')
  t.strictSame([auth, second!, busy!].map(({ signedOut }) => signedOut), Array(3).fill([{ reason: 'signed_out', user }]))
  t.notOk(b.jar.has('__Host-rt'))
  t.equal((await b.tab().restore()).status, 'signed_out', 'and stays so')
})

t.test('signing out while this tab is refreshing is the end, with locks and without', async t => {
  for (const shares of [true, false]) {
    const { b, auth, user } = await signedInTab(t, url, browser(t, url, { shares }))
    moveClock(t, LIFETIME)
    const refresh = heldUp(b, REFRESH)
    const call = auth.fetch(verify).catch(error => error)
    await refresh.arrived()
    const signingOut = auth.signOut()
    if (!shares) await signingOut
    refresh.go()
    await signingOut
    await call
    await new Promise(resolve => setTimeout(resolve, 50))
    t.strictSame([auth.state.status, auth.signedOut], ['signed_out', [{ reason: 'signed_out', user }]])
    t.equal((await b.tab().restore()).status, 'signed_out')
  }
})

t.test('tabs follow whoever signs in, and a refresh that was on its way does not bring the one before back', async t => {
  const { b, auth } = await signedInTab(t, url)
  const [second] = await tabsOf(b, 1)
  const other = newCredentials()
  await send(url, 'POST', '/v1/auth/register', { body: other })
  moveClock(t, LIFETIME)
  const refresh = heldUp(b, REFRESH)
  const call = second!.fetch(verify).then(({ status }) => status)
  await refresh.arrived()
  const signingIn = auth.signIn(other)
  await Promise.race([signingIn, new Promise(resolve => setTimeout(resolve, 1000))]) // it does not overtake the refresh
  refresh.go()
  const user = await signingIn
  t.equal(await call, 200)
  await until(() => second!.state.user?.id === user.id)
  moveClock(t, LIFETIME)
  t.match((await second!.api.GET('/v1/me')).data, { email: other.email })
  t.match((await auth.api.GET('/v1/me')).data, { email: other.email })
  t.strictSame([auth, second!].map(({ signedOut }) => signedOut), [[], []], 'nobody was signed out: somebody else is signed in')
  await auth.signOut()
  await until(() => second!.state.status === 'signed_out')
  await second!.signIn(other)
  await until(() => auth.state.status === 'signed_in')
  t.equal((await auth.fetch(verify)).status, 200, 'and a sign-in brings back the tabs that were signed out')
})

t.test('an app of another origin that shares the cookie is followed at the next refresh', async t => {
  const { b, auth, user } = await signedInTab(t, url)
  const app = browser(t, url)
  const other = newCredentials()
  await send(url, 'POST', '/v1/auth/register', { body: other })
  const elsewhere = app.tab()
  await elsewhere.signIn(other)
  b.jar.set('__Host-rt', app.jar.get('__Host-rt')!)
  moveClock(t, LIFETIME)
  t.equal((await auth.fetch(verify)).status, 200)
  t.match(auth.state, { status: 'signed_in', user: { email: other.email } })
  b.jar.delete('__Host-rt')
  moveClock(t, LIFETIME)
  t.match(await auth.fetch(verify).catch(error => error), { code: 'no_session' })
  t.match(auth.signedOut, [{ reason: 'session_ended', user: { email: other.email } }], 'as when it signs out')
  t.not(user.email, other.email)
})

/** A page as a browser has one, seen or not. */
function page (t: Test) {
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' })
  Object.defineProperty(globalThis, 'document', { value: document, configurable: true })
  t.teardown(() => { delete (globalThis as { document?: unknown }).document })
  return { turn: (visibilityState: 'visible' | 'hidden') => { Object.assign(document, { visibilityState }).dispatchEvent(new Event('visibilitychange')) } }
}

t.test('a page that is seen renews ahead of time, one that is hidden once it is seen or used', async t => {
  const { turn } = page(t)
  const b = browser(t, url)
  b.wire(async (_request, goOn) => {
    const answer = await goOn()
    const body = await answer.text()
    return new Response(body && body.replace(/"expires_in":\d+/, '"expires_in":2'), answer)
  })
  const { auth } = await signedInTab(t, url, b)
  await until(() => b.refreshes() === 1, 3000)
  turn('hidden')
  await new Promise(resolve => setTimeout(resolve, 2200))
  t.equal(b.refreshes(), 1)
  turn('visible')
  await until(() => b.refreshes() === 2, 500)
  t.equal((await auth.fetch(verify)).status, 200)
  turn('hidden')
  moveClock(t, LIFETIME)
  t.equal((await auth.fetch(verify)).status, 200)
  t.equal(b.refreshes(), 3)
  auth.close()
  turn('visible')
  await new Promise(resolve => setTimeout(resolve, 2200))
  t.equal(b.refreshes(), 3, 'one that is closed never')
})
