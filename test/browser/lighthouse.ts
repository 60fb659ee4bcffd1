import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import t from 'tap'
import { PASSWORD, world } from '../helpers/world.ts'
import { surroundings } from './support/app.ts'
import { CHROMIUM, CHROMIUM_ARGS } from './support/browser.ts'

// Lighthouse opens tabs of its own in a browser that is there; it comes from test/browser/package.json.
const { default: lighthouse } = await import('lighthouse' as string) as { default: (url: string, flags: object) => Promise<{ lhr: { finalDisplayedUrl: string, categories: { accessibility: { score: number } }, audits: Record<string, { score: number | null, title: string }> } }> }

t.test('Lighthouse gives the main pages 95 or more for accessibility', async t => {
  const around = await surroundings(t)
  const service = await world(t, around.env)
  around.balancer.to(await service.app.listen({ host: '127.0.0.1', port: 0 }))
  await service.call('POST', '/v1/auth/register', { body: { email: 'ada@example.com', password: PASSWORD } })
  await service.call('POST', '/v1/email-verification/confirm', { body: { token: (await around.mailbox.next('ada@example.com')).token } })

  const port = await freePort()
  const profile = await mkdtemp(join(tmpdir(), 'lighthouse-'))
  t.teardown(async () => await rm(profile, { recursive: true, force: true, maxRetries: 5 }))
  const context = await chromium.launchPersistentContext(profile, { executablePath: CHROMIUM, args: [...CHROMIUM_ARGS, `--remote-debugging-port=${port}`] })
  t.teardown(async () => await context.close())

  const scoreOf = async (path: string) => {
    const { lhr: { finalDisplayedUrl, categories, audits } } = await lighthouse(`${around.appUrl}${path}`, {
      port, output: 'json', logLevel: 'silent', onlyCategories: ['accessibility'], formFactor: 'desktop', screenEmulation: { disabled: true }, throttlingMethod: 'provided', disableStorageReset: true,
      networkQuietThresholdMs: 0, cpuQuietThresholdMs: 0, pauseAfterLoadMs: 500, pauseAfterFcpMs: 0, skipAboutBlank: true, maxWaitForLoad: 6_000,
    })
    const score = Math.round(categories.accessibility.score * 100)
    t.equal(new URL(finalDisplayedUrl).pathname, path)
    t.ok(score >= 95, `${path}: ${score}`, { failed: Object.values(audits).filter(({ score }) => score === 0).map(({ title }) => title) })
  }
  for (const path of ['/sign-in', '/sign-up']) await scoreOf(path)
  const page = await context.newPage()
  await page.goto(around.appUrl)
  await page.getByLabel('E-mail address').fill('ada@example.com')
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { level: 1, name: 'Welcome' }).waitFor()
  for (const path of ['/', '/sessions']) await scoreOf(path)
})

async function freePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => { server.once('listening', resolve) })
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => { server.close(resolve) })
  return port
}
