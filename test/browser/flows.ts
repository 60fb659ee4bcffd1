import t, { type Test } from 'tap'
import type { Page } from 'playwright-core'
import { PASSWORD, world } from '../helpers/world.ts'
import { surroundings } from './support/app.ts'
import { accessible, launch, looked, person, screenshot } from './support/browser.ts'

// The example app in a real browser, as people use it: a production build under a strict policy, mail from a real SMTP server.
const browser = await launch(t)
const around = await surroundings(t)
const { appUrl, mailbox, balancer } = around
const service = await world(t, around.env)
balancer.to(await service.app.listen({ host: '127.0.0.1', port: 0 }))

const heading = async (page: Page, name: string | RegExp) => await page.getByRole('heading', { level: 1, name }).waitFor()
const alert = async (page: Page, text: string | RegExp) => await page.getByRole('alert').filter({ hasText: text }).waitFor()
const press = async (page: Page, name: string) => await page.getByRole('button', { name, exact: true }).click()
const follow = async (page: Page, name: string) => await page.getByRole('link', { name, exact: true }).first().click()
const fill = async (page: Page, fields: Record<string, string>) => { for (const [label, text] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(text) }

/** The link of the next mail, of the app; it leaves the address bar at once. */
async function openLink (t: Test, page: Page, address: string): Promise<void> {
  const { link } = await mailbox.next(address)
  t.ok(link.startsWith(`${appUrl}/`))
  await page.goto(link)
  await page.getByRole('heading', { level: 1 }).waitFor()
  t.equal(page.url(), link.split('#')[0], 'the token is not in the address bar')
  t.equal(await page.evaluate('history.length'), 2, 'nor in an entry of the history')
}

async function account (t: Test, email: string): Promise<void> {
  await service.call('POST', '/v1/auth/register', { body: { email, password: PASSWORD, name: 'Ada' } })
  const { token } = await mailbox.next(email)
  t.equal((await service.call('POST', '/v1/email-verification/confirm', { body: { token } })).statusCode, 204)
}

async function signIn (page: Page, email: string, password = PASSWORD): Promise<void> {
  await page.goto(appUrl)
  await heading(page, 'Sign in')
  await fill(page, { 'E-mail address': email, Password: password })
  await press(page, 'Sign in')
}

t.test('sign up, confirm by mail, sign in, call a service of another origin, sign out', async t => {
  const page = await (await person(t, browser)).newPage()
  await page.goto(`${appUrl}/sign-up`)
  await heading(page, 'Create an account')
  await accessible(t, page, 'sign up')
  await fill(page, { 'Name (optional)': 'Ada', 'E-mail address': 'ada@example.com', Password: 'password12345678' })
  await press(page, 'Create the account')
  await alert(page, /tried first|guess/)
  await accessible(t, page, 'sign up, refused')
  await fill(page, { Password: PASSWORD })
  await press(page, 'Create the account')
  await heading(page, 'Check your mail')
  await accessible(t, page, 'check your mail')

  await signIn(page, 'ada@example.com')
  await alert(page, 'confirm your e-mail address first')
  await accessible(t, page, 'sign in, unconfirmed')
  await mailbox.next('ada@example.com')
  await press(page, 'Send the mail again')
  await page.getByText('It is on its way.').waitFor()

  const other = await (await person(t, browser)).newPage()
  await openLink(t, other, 'ada@example.com')
  await heading(other, 'Confirm your e-mail address')
  await accessible(t, other, 'confirm the address')
  await press(other, 'Confirm the address')
  await heading(other, 'Thank you')
  await accessible(t, other, 'confirmed')

  await fill(page, { Password: 'not the pass phrase at all' })
  await press(page, 'Sign in')
  await alert(page, 'is wrong')
  await accessible(t, page, 'sign in, refused')
  await fill(page, { Password: PASSWORD })
  await press(page, 'Sign in')
  await heading(page, 'Welcome, Ada')
  await accessible(t, page, 'home')
  await press(page, 'Call the service')
  await page.getByText('Hello from another origin.').waitFor()
  await accessible(t, page, 'home, answered')
  await screenshot(page, 'home')

  await page.reload()
  await heading(page, 'Welcome, Ada')
  await press(page, 'Sign out')
  await heading(page, 'Sign in')
  await page.getByText('You are signed out.').waitFor()
  await accessible(t, page, 'signed out')
  await page.reload()
  await heading(page, 'Sign in')
  await page.goto(`${appUrl}/nowhere`)
  await heading(page, 'There is nothing here')
  await accessible(t, page, 'nothing here')
})

t.test('no script can read a token: neither cookies nor any storage of the page have one', async t => {
  await account(t, 'bob@example.com')
  const context = await person(t, browser)
  const page = await context.newPage()
  await signIn(page, 'bob@example.com')
  await heading(page, 'Welcome, Ada')
  await press(page, 'Call the service')
  await page.getByText('Hello from another origin.').waitFor()
  const cookies = await context.cookies()
  t.match(cookies.find(({ name }) => name === '__Host-rt'), { httpOnly: true, secure: true, sameSite: 'Strict', value: /^ey/ })
  t.ok(cookies.every(({ httpOnly }) => httpOnly))
  const seen = await page.evaluate(async () => ({
    cookies: document.cookie,
    local: JSON.stringify({ ...localStorage }),
    session: JSON.stringify({ ...sessionStorage }),
    databases: JSON.stringify(await indexedDB.databases()),
    caches: JSON.stringify(await caches.keys()),
    // What hangs on the global object, and the page itself.
    globals: Object.entries(window).map(([name, value]) => { try { return `${name}=${JSON.stringify(value)}` } catch { return name } }).join('\n'),
    html: document.documentElement.outerHTML,
    address: location.href,
  }))
  t.match(seen, { cookies: '', databases: '[]', caches: '[]' })
  for (const [where, text] of Object.entries(seen)) t.notMatch(text, /eyJ/, where)
})

t.test('sessions are listed; ending another one ends it, and everywhere is everywhere', async t => {
  await account(t, 'cyd@example.com')
  const [here, there] = [await (await person(t, browser)).newPage(), await (await person(t, browser, { userAgent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile/15E148 Safari/604.1' })).newPage()]
  for (const page of [there, here]) { await signIn(page, 'cyd@example.com'); await heading(page, 'Welcome, Ada') }
  await follow(here, 'Sessions')
  await here.getByRole('listitem').nth(1).waitFor()
  t.match(await here.getByRole('listitem').allInnerTexts(), [/^Chrome on Linux\s*This browser/, /^Safari on iOS/])
  await accessible(t, here, 'sessions')
  await screenshot(here, 'sessions', 'dark')
  await here.getByRole('button', { name: 'End the session of Safari on iOS' }).click()
  await here.getByText('The session of Safari on iOS has ended.').waitFor()
  await accessible(t, here, 'sessions, one ended')
  t.equal(await here.getByRole('listitem').count(), 1)
  await there.reload()
  await heading(there, 'Sign in')

  await signIn(there, 'cyd@example.com')
  await heading(there, 'Welcome, Ada')
  await press(here, 'Sign out everywhere')
  await heading(here, 'Sign in')
  await there.reload()
  await heading(there, 'Sign in')
})

t.test('a forgotten password is set anew by mail, and the link works once', async t => {
  await account(t, 'dan@example.com')
  const page = await (await person(t, browser)).newPage()
  await page.goto(appUrl)
  await fill(page, { 'E-mail address': 'dan@example.com' })
  await screenshot(page, 'sign-in')
  await follow(page, 'Forgotten your password?')
  await heading(page, 'Forgotten your password?')
  await accessible(t, page, 'forgotten password')
  await fill(page, { 'E-mail address': 'dan@example.com' })
  await press(page, 'Send the link')
  await heading(page, 'Check your mail')
  await accessible(t, page, 'forgotten password, sent')

  const other = await (await person(t, browser)).newPage()
  await openLink(t, other, 'dan@example.com')
  await heading(other, 'Set a new password')
  await accessible(t, other, 'reset password')
  await fill(other, { 'New password': 'short' })
  await press(other, 'Set the password')
  await alert(other, 'too short')
  await accessible(t, other, 'reset password, refused')
  await fill(other, { 'New password': 'the pass phrase of tomorrow' })
  await press(other, 'Set the password')
  await heading(other, 'Your new password is set')
  await accessible(t, other, 'reset password, done')
  await follow(other, 'Sign in with it')
  await signIn(other, 'dan@example.com', 'the pass phrase of tomorrow')
  await heading(other, 'Welcome, Ada')
  await page.goto(`${appUrl}/reset-password`)
  await heading(page, 'This address is incomplete')
  await accessible(t, page, 'incomplete link')
  await page.goto(`${appUrl}/verify-email#token=nonsense`)
  await press(page, 'Confirm the address')
  await alert(page, 'This link is not valid')
  await accessible(t, page, 'bad link')
})

t.test('another e-mail address is asked for, and confirmed by the mail to it', async t => {
  await account(t, 'eve@example.com')
  const page = await (await person(t, browser)).newPage()
  await signIn(page, 'eve@example.com')
  await heading(page, 'Welcome, Ada')
  await follow(page, 'Sessions')
  await page.getByText('Change your e-mail address').click()
  await fill(page, { 'New e-mail address': 'eva@example.org', 'Your password': PASSWORD })
  await accessible(t, page, 'change of address')
  await press(page, 'Send a link to the new address')
  await page.getByText('We sent a link to eva@example.org.').waitFor()
  const other = await (await person(t, browser)).newPage()
  await openLink(t, other, 'eva@example.org')
  await heading(other, 'Confirm your new e-mail address')
  await accessible(t, other, 'confirm the new address')
  await press(other, 'Use the new address')
  await heading(other, 'Thank you')
  await signIn(other, 'eva@example.org')
  await heading(other, 'Welcome, Ada')
  await page.reload()
  await heading(page, 'Sign in')
})

t.test('with the keyboard alone one signs up and in, and sees where one is', async t => {
  const page = await (await person(t, browser)).newPage()
  const focused = async () => await page.evaluate(() => {
    const { activeElement: element } = document
    const { outlineStyle, outlineWidth } = getComputedStyle(element!)
    return { name: (element as HTMLInputElement).labels?.[0]?.textContent ?? element!.getAttribute('aria-label') ?? element!.textContent, visible: outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 2 }
  })
  /** Tabs on to what has this name, no further than a page is long. */
  const tabTo = async (name: string) => {
    for (let step = 0; step < 12; step++) {
      await page.keyboard.press('Tab')
      const { name: here, visible } = await focused()
      if (!visible) t.fail(`the focus cannot be seen on ${here}`)
      if (here === name) return
    }
    t.fail(`no way to ${name}`)
  }
  const title = async (name: string) => {
    await heading(page, name)
    await page.waitForFunction(name => document.activeElement?.tagName === 'H1' && document.activeElement.textContent === name, name)
  }
  await page.goto(appUrl)
  await title('Sign in')
  await tabTo('Create an account')
  await page.keyboard.press('Enter')
  await title('Create an account')
  await tabTo('E-mail address')
  await page.keyboard.type('fay@example.com')
  await tabTo('Password')
  await page.keyboard.type(PASSWORD)
  await tabTo('Show the password')
  await page.keyboard.press('Space')
  t.equal(await page.getByLabel('Password', { exact: true }).getAttribute('type'), 'text')
  await tabTo('Create the account')
  await page.keyboard.press('Enter')
  await title('Check your mail')
  await service.call('POST', '/v1/email-verification/confirm', { body: { token: (await mailbox.next('fay@example.com')).token } })
  await tabTo('Sign in')
  await page.keyboard.press('Enter')
  await title('Sign in')
  await tabTo('E-mail address')
  await page.keyboard.type('fay@example.com')
  await page.keyboard.press('Tab')
  await page.keyboard.type(PASSWORD)
  await page.keyboard.press('Enter')
  await title('Welcome')
  await tabTo('Call the service')
  await page.keyboard.press('Enter')
  await page.getByText('Hello from another origin.').waitFor()
})

t.test('on a small screen nothing is cut off, and axe has nothing against it either', async t => {
  await account(t, 'gil@example.com')
  const page = await (await person(t, browser, { viewport: { width: 320, height: 640 } })).newPage()
  await signIn(page, 'gil@example.com')
  await heading(page, 'Welcome, Ada')
  await press(page, 'Call the service')
  await page.getByText('Hello from another origin.').waitFor()
  for (const name of ['Home', 'Sessions']) {
    await follow(page, name)
    await accessible(t, page, `${name}, 320 pixels wide`)
    t.equal(await page.evaluate('document.documentElement.scrollWidth'), 320, name)
  }
})

t.test('axe found nothing in any of them', async t => { t.comment(`${looked.states} states of pages`) })
