import type { Page } from 'playwright-core'
import t from 'tap'
import { openMailbox } from '../helpers/mailbox.ts'
import { proxy } from '../helpers/proxy.ts'
import { PASSWORD, world } from '../helpers/world.ts'
import { accessible, launch, person } from './support/browser.ts'

// The three pages of the service itself, where there is no app to lead to, in a real browser and under their own policy.
const browser = await launch(t)
const [balancer, mailbox] = [await proxy(t), await openMailbox(t)]
const service = await world(t, { PUBLIC_URL: balancer.url, MAIL_URL: mailbox.url, REQUIRE_VERIFIED_EMAIL: 'true' })
balancer.to(await service.app.listen({ host: '127.0.0.1', port: 0 }))

const said = async (page: Page, text: string | RegExp) => await page.getByRole('status').filter({ hasText: text }).waitFor()
const press = async (page: Page, name: string) => await page.getByRole('button', { name, exact: true }).click()
const signIn = async (email: string, password = PASSWORD): Promise<number> =>
  (await service.call('POST', '/v1/auth/login', { body: { email, password, refresh: 'body' } })).statusCode
const post = async (path: string, body: object, bearer?: string) => await service.call('POST', path, { body, ...(bearer !== undefined && { bearer }) })

async function open (url: string): Promise<Page> {
  const page = await (await person(t, browser)).newPage()
  await page.goto(url)
  return page
}

t.test('an address is confirmed by the button, not by opening the page', async t => {
  await post('/v1/auth/register', { email: 'ada@example.com', password: PASSWORD })
  const { link } = await mailbox.next('ada@example.com')
  for (let scan = 0; scan < 2; scan++) await open(link)
  t.equal(await signIn('ada@example.com'), 403, 'opened three times, confirmed not once')
  const page = await open(link)
  await accessible(t, page, 'confirm the address')
  await press(page, 'Confirm the address')
  await said(page, 'Your address is confirmed.')
  await accessible(t, page, 'confirmed')
  t.equal(page.url(), link.split('#')[0], 'and the token is gone from the address bar')
  t.equal(await signIn('ada@example.com'), 200)
  const without = await open(link.split('#')[0]!)
  await said(without, 'This address is incomplete')
  await accessible(t, without, 'without a token')
})

t.test('a password is set by the button, once, and what is too weak says why', async t => {
  await post('/v1/password-reset', { email: 'ada@example.com' })
  const { link } = await mailbox.next('ada@example.com')
  const [page, again] = [await open(link), await open(link)]
  t.equal(await signIn('ada@example.com'), 200, 'opened, and nothing has happened')
  await accessible(t, page, 'new password')
  await page.getByLabel('New password').fill('password12345678')
  await press(page, 'Set the password')
  await said(page, /tried first|guess/)
  await accessible(t, page, 'new password, refused')
  for (const each of [page, again]) await each.getByLabel('New password').fill('the pass phrase of tomorrow')
  await press(page, 'Set the password')
  await said(page, 'Your new password is set.')
  await accessible(t, page, 'new password, done')
  await press(again, 'Set the password')
  await said(again, 'This link has been used')
  await accessible(t, again, 'new password, used')
  t.strictSame([await signIn('ada@example.com'), await signIn('ada@example.com', 'the pass phrase of tomorrow')], [401, 200])
})

t.test('another address is taken by the button, in the language of the browser', async t => {
  const { access_token: bearer } = (await post('/v1/auth/login', { email: 'ada@example.com', password: 'the pass phrase of tomorrow', refresh: 'body' })).json<{ access_token: string }>()
  await post('/v1/me/email', { new_email: 'ada@example.org', password: 'the pass phrase of tomorrow' }, bearer)
  const { link } = await mailbox.next('ada@example.org')
  const page = await (await person(t, browser, { locale: 'de-AT' })).newPage()
  await page.goto(link)
  t.equal(await signIn('ada@example.org', 'the pass phrase of tomorrow'), 401, 'opened, and nothing has happened')
  await accessible(t, page, 'another address, in German')
  await press(page, 'Neue Adresse verwenden')
  await said(page, 'Danke.')
  await accessible(t, page, 'another address, done')
  t.equal(await signIn('ada@example.org', 'the pass phrase of tomorrow'), 200)
})
