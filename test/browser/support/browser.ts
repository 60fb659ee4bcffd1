import { mkdir, writeFile } from 'node:fs/promises'
import axe from 'axe-core'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'
import type { Test } from 'tap'

type Violation = { id: string, help: string, nodes: { target: string[], failureSummary?: string }[] }

export const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
export const CHROMIUM_ARGS = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage']

export const launch = async (t: Pick<Test, 'teardown'>): Promise<Browser> => {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_ARGS })
  t.teardown(async () => await browser.close())
  return browser
}

/** A person's browser, empty. What a page of it complains of, or its policy refuses, fails the test; but what a server answered with 4xx does not. */
export async function person (t: Test, browser: Browser, options: Parameters<Browser['newContext']>[0] = {}): Promise<BrowserContext> {
  const context = await browser.newContext({ locale: 'en-GB', reducedMotion: 'reduce', viewport: { width: 1100, height: 760 }, ...options })
  t.teardown(async () => await context.close())
  context.setDefaultTimeout(15_000)
  context.on('weberror', error => t.fail(`a page threw: ${error.error().message}`))
  context.on('console', message => {
    if (message.type() === 'error' && !/^Failed to load resource/.test(message.text())) t.fail(`the console says: ${message.text()}`)
  })
  return context
}

/** Every state that a page was found in without a fault, over all of the run. */
export const looked = { states: 0 }

/** What axe has against this state of the page, in light and in dark. */
export async function accessible (t: Test, page: Page, state: string): Promise<void> {
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme })
    const violations = await violationsOf(page)
    looked.states++
    t.strictSame(violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map(({ target, failureSummary }) => ({ target, failureSummary })) })), [], `${state}, ${colorScheme}`)
  }
}

/** In a world of its own, which the policy of the page is not about. */
async function violationsOf (page: Page): Promise<Violation[]> {
  const session = await page.context().newCDPSession(page)
  try {
    const { frameTree } = await session.send('Page.getFrameTree')
    const { executionContextId: contextId } = await session.send('Page.createIsolatedWorld', { frameId: frameTree.frame.id, worldName: 'axe' })
    await session.send('Runtime.evaluate', { contextId, expression: axe.source })
    const { result, exceptionDetails } = await session.send('Runtime.evaluate', {
      contextId, awaitPromise: true, returnByValue: true,
      expression: "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }).then(({ violations }) => violations)",
    })
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
    return result.value as Violation[]
  } finally { await session.detach() }
}

/** For the README, when UPDATE_SCREENSHOTS is set. */
export async function screenshot (page: Page, name: string, colorScheme: 'light' | 'dark' = 'light'): Promise<void> {
  if (!process.env['UPDATE_SCREENSHOTS']) return
  await page.emulateMedia({ colorScheme })
  await page.setViewportSize({ width: 800, height: 590 })
  await page.mouse.move(0, 0)
  await mkdir('docs/images', { recursive: true })
  await writeFile(`docs/images/${name}.png`, await page.screenshot({ animations: 'disabled' }))
}
