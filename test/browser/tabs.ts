import type { BrowserContext, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { openContext } from '../../src/context.ts'
import type { KeyEncryptionKeys } from '../../src/config-values.ts'
import { startProcess } from '../helpers/processes.ts'
import { freshDatabase } from '../helpers/database.ts'
import { PASSWORD, serveNode, world, type World } from '../helpers/world.ts'
import { surroundings, type Surroundings } from './support/app.ts'
import { launch, person } from './support/browser.ts'

// What a page must not notice: other tabs, a node that dies. And what a second service must: an ending.
const browser = await launch(t)

/** An account, confirmed, by way of any node. */
async function account ({ mailbox, balancer }: Surroundings, email: string): Promise<void> {
  const post = async (path: string, body: object) => { await fetch(`${balancer.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }) }
  await post('/v1/auth/register', { email, password: PASSWORD })
  await post('/v1/email-verification/confirm', { token: (await mailbox.next(email)).token })
}

async function signedIn (context: BrowserContext, appUrl: string, email: string): Promise<Page> {
  const page = await context.newPage()
  await page.goto(appUrl)
  await page.getByLabel('E-mail address').fill(email)
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await isHome(page)
  return page
}

const isHome = async (page: Page) => await page.getByRole('heading', { level: 1, name: 'Welcome' }).waitFor()
const call = async (page: Page) => await page.getByRole('button', { name: 'Call the service' }).click()

/** Notes whenever a page shows the way in, or says that something went wrong. */
async function watch (context: BrowserContext): Promise<string[]> {
  const seen: string[] = []
  await context.exposeFunction('noted', (what: string) => { seen.push(what) })
  await context.addInitScript(() => {
    let last = ''
    new MutationObserver(() => {
      const now = Array.from(document.querySelectorAll('[role=alert] p, h1')).map(({ textContent }) => textContent).filter(text => text && !/^(Welcome|Your sessions)/.test(text)).join(' ')
      if (now !== '' && now !== last) (window as unknown as { noted: (what: string) => void }).noted(now)
      last = now
    }).observe(document, { subtree: true, childList: true, characterData: true })
  })
  return seen
}

/** The nodes of a world with tokens that live less long than a configuration may say. */
async function nodeWithLifetime (t: Test, { config }: World, seconds: number): Promise<string> {
  const short = { ...config, accessTokenTtlSeconds: seconds }
  const { app } = await serveNode(t, async ({ log, clock }) => await openContext({ config: short, databaseUrl: config.databaseUrl!, keyEncryptionKey: config.keyEncryptionKey as KeyEncryptionKeys, log, clock }))
  return await app.listen({ host: '127.0.0.1', port: 0 })
}

// LIFETIMES=30 is the long form.
const lifetimes = Number(process.env['LIFETIMES'] ?? 4)
t.test(`ten tabs, open over ${lifetimes} lifetimes of an access token: none is signed out`, { timeout: (lifetimes * 6 + 90) * 1000 }, async t => {
  const TTL = 5
  const around = await surroundings(t)
  const service = await world(t, around.env)
  around.balancer.to(await service.app.listen({ host: '127.0.0.1', port: 0 }))
  await account(around, 'ten@example.com')
  around.balancer.turnTo(await nodeWithLifetime(t, service, TTL))
  const context = await person(t, browser)
  const noticed = await watch(context)
  const tabs = [await signedIn(context, around.appUrl, 'ten@example.com')]
  for (let tab = 2; tab <= 10; tab++) {
    const page = await context.newPage()
    await page.goto(around.appUrl)
    await isHome(page)
    tabs.push(page)
  }
  noticed.length = 0
  const [from, refreshesBefore] = [performance.now(), around.balancer.count('/v1/auth/refresh')]
  let calls = 0
  while (performance.now() - from < lifetimes * TTL * 1000) {
    for (const page of tabs) { await call(page); await page.getByText('Hello from another origin.').waitFor(); calls++ }
    await new Promise(resolve => setTimeout(resolve, 500))
  }
  for (const page of tabs) {
    await page.getByRole('link', { name: 'Sessions' }).click()
    await page.getByRole('listitem').filter({ hasText: 'This browser' }).waitFor()
  }
  t.strictSame(noticed, [], 'no tab showed anything but what it should')
  t.equal((await service.sql<{ n: number }>("SELECT count(*)::int AS n FROM audit_event WHERE type = 'session.ended'"))[0]!.n, 0)
  const refreshes = around.balancer.count('/v1/auth/refresh') - refreshesBefore
  t.ok(refreshes >= lifetimes - 1, 'the tokens did end in between')
  t.comment(`${tabs.length} tabs over ${lifetimes} lifetimes of ${TTL} s: ${calls} calls, ${refreshes} refreshes, 0 signed out`)
})

t.test('a node is killed while the page works: nobody notices', async t => {
  const around = await surroundings(t)
  const databaseUrl = await freshDatabase(t)
  const [one, two] = [await startProcess(t, databaseUrl, { env: around.env }), await startProcess(t, databaseUrl, { env: around.env })]
  around.balancer.to(one.url)
  await account(around, 'kim@example.com')
  const context = await person(t, browser, {})
  const noticed = await watch(context)
  const page = await signedIn(context, around.appUrl, 'kim@example.com')
  noticed.length = 0
  await one.stop('SIGKILL')
  // The balancer takes a while to see it; meanwhile every connection breaks.
  const seen = new Promise<void>(resolve => setTimeout(() => { around.balancer.to(two.url); resolve() }, 1_000))
  await page.getByRole('link', { name: 'Sessions' }).click()
  await page.getByRole('listitem').filter({ hasText: 'This browser' }).waitFor()
  await seen
  await page.reload()
  await page.getByRole('listitem').filter({ hasText: 'This browser' }).waitFor()
  await page.getByRole('link', { name: 'Home' }).click()
  await call(page)
  await page.getByText('Hello from another origin.').waitFor()
  t.strictSame(noticed, [])
})

t.test('a session that is ended elsewhere is refused by the second service within two seconds', async t => {
  const around = await surroundings(t)
  const service = await world(t, around.env)
  around.balancer.to(await service.app.listen({ host: '127.0.0.1', port: 0 }))
  await account(around, 'leo@example.com')
  const took: number[] = []
  for (let round = 0; round < 3; round++) {
    const [here, there] = [await person(t, browser), await person(t, browser)]
    let bearer = ''
    there.on('request', request => { if (request.url() === `${around.serviceUrl}/greeting`) bearer = request.headers()['authorization'] ?? bearer })
    const [page, other] = [await signedIn(here, around.appUrl, 'leo@example.com'), await signedIn(there, around.appUrl, 'leo@example.com')]
    await call(other)
    await other.getByText('Hello from another origin.').waitFor()
    await page.getByRole('link', { name: 'Sessions' }).click()
    const answered = page.waitForResponse(response => response.request().method() === 'DELETE')
    await page.getByRole('listitem').filter({ hasNotText: 'This browser' }).first().getByRole('button').click()
    t.equal((await answered).status(), 204)
    const endedAt = performance.now()
    while ((await fetch(`${around.serviceUrl}/greeting`, { headers: { authorization: bearer } })).status !== 401) {
      if (performance.now() - endedAt > 5_000) break
      await new Promise(resolve => setTimeout(resolve, 10))
    }
    took.push(Math.round(performance.now() - endedAt))
    await call(other)
    await other.getByText('Your session has ended. Please sign in again.').waitFor()
    await page.getByRole('button', { name: 'Sign out everywhere' }).click()
    await page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor()
  }
  t.ok(Math.max(...took) < 2_000, `refused ${took.join(', ')} ms after the answer to the page that ended it`)
})
