import { hash } from 'node:crypto'
import { createContext, runInContext } from 'node:vm'
import t from 'tap'
import { linksOf, mailsOf } from '../helpers/links.ts'
import { PASSWORD, world, type World } from '../helpers/world.ts'

const PAGES = ['/verify-email', '/reset-password', '/confirm-email-change']

t.test('a page brings its own script and style, calls its own service, and may do nothing else', async t => {
  const { call } = await world(t)
  for (const url of PAGES) {
    for (const language of ['en', 'de']) {
      const { statusCode, headers, body } = await call('GET', url, { headers: { 'accept-language': language } })
      t.match([statusCode, headers['content-type'], headers['cache-control'], headers['x-content-type-options'], headers['x-frame-options']], [200, 'text/html; charset=utf-8', 'no-store', 'nosniff', 'DENY'], url)
      const hashOf = (element: string) => `'sha256-${hash('sha256', new RegExp(`<${element}>([^]*)</${element}>`).exec(body)![1]!, 'base64')}'`
      t.equal(headers['content-security-policy'], `default-src 'none'; script-src ${hashOf('script')}; style-src ${hashOf('style')}; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`)
      t.notMatch(body, /https?:|\/\/[a-z]|<(img|link|iframe)|\son\w+=|\sstyle=/i, 'nothing from elsewhere, nothing inline that the policy would refuse')
      t.match(body, new RegExp(`<html lang="${language}">`))
      t.match(body, /<meta name="viewport" content="width=device-width, initial-scale=1">[^]*<h1>[^<]+<\/h1>[^]*<button type="submit">[^<]+<\/button>[^]*role="status"/)
      if (url === '/reset-password') t.match(body, /<label for="password">[^]*id="password" type="password" autocomplete="new-password"[^]*aria-describedby="hint"[^]*id="hint">[^<]*15/)
    }
  }
})

t.test('a page speaks the language that the browser prefers, of those there are', async t => {
  const { call } = await world(t)
  const languages: [string | undefined, string][] = [[undefined, 'en'], ['de', 'de'], ['de-AT,de;q=0.9,en;q=0.5', 'de'], ['en-GB,de;q=0.9', 'en'], ['fr,de;q=0.3,en;q=0.2', 'de'], ['fr', 'en'], ['de;q=0', 'en'], ['en;q=0.1, DE;q=0.2', 'de'],
    ['constructor', 'en'], ['*', 'en'], [',;q=,;;', 'en'], ['x'.repeat(8_000), 'en']]
  for (const [header, language] of languages) {
    const { body } = await call('GET', '/verify-email', { headers: header === undefined ? {} : { 'accept-language': header } })
    t.match(body, `<html lang="${language}">`, header?.slice(0, 30) ?? 'none')
  }
})

t.test('a scanner of mail that follows a link uses nothing up, and what it sends is not in the page', async t => {
  const w = await world(t)
  const { id } = await w.signUp()
  const { reset, verification } = await linksOf(w, id)
  for (const method of ['GET', 'HEAD', 'GET']) {
    for (const url of [...PAGES.map(page => `${page}?token=${reset}&x=<script>`), `/v1/password-reset/confirm?token=${reset}`, `/v1/email-verification/confirm?token=${verification}`]) {
      const answer = await w.call(method, url)
      t.equal(answer.statusCode, url.startsWith('/v1') ? 405 : 200, `${method} ${url.slice(0, 30)}`)
      t.notOk(answer.body.includes(reset) || answer.body.includes('&x='))
    }
  }
  t.equal((await w.call('POST', '/v1/password-reset/confirm', { body: { token: reset, new_password: 'the pass phrase of tomorrow' } })).statusCode, 204)
  t.equal((await w.call('POST', '/v1/email-verification/confirm', { body: { token: verification } })).statusCode, 204)
})

t.test('with an app of its own, the service has no such pages', async t => {
  const { call } = await world(t, { APP_URL: 'https://app.example' })
  for (const url of PAGES) t.equal((await call('GET', url)).statusCode, 404)
})

t.test('the button of each page does what it says, once, and says how it went', async t => {
  const w = await world(t)
  const { id, email } = await w.signUp()
  const links = async () => await linksOf(w, id)
  const page = async (url: string, fragment: string) => openPage(w, (await w.call('GET', url)).body, fragment)

  t.match(await page('/verify-email', ''), { shown: false, said: /incomplete/ }, 'a link that was cut off')
  const verify = await page('/verify-email', `#token=${(await links()).verification}`)
  t.match(verify, { shown: true, said: '' })
  await verify.press()
  t.match(verify, { shown: false, said: /confirmed/, fragment: '' }, 'and the token is out of the history')
  t.match(await w.sql('SELECT email_verified_at IS NOT NULL AS verified FROM users'), [{ verified: true }])

  const { reset } = await links()
  const setPassword = await page('/reset-password', `#token=${reset}`)
  await setPassword.press('short')
  t.match(setPassword, { shown: true, said: 'It is too short.', fragment: `#token=${reset}` })
  await setPassword.press('the pass phrase of tomorrow')
  t.match(setPassword, { shown: false, said: /new password is set/ })
  const again = await page('/reset-password', `#token=${reset}`)
  await again.press('the pass phrase of tomorrow')
  t.match(again.said, /has been used, and it worked/)
  t.equal((await w.call('POST', '/v1/auth/login', { body: { email, password: PASSWORD } })).statusCode, 401)

  const change = await page('/confirm-email-change', `#token=${(await links()).emailChange}`)
  await change.press()
  t.match(change.said, /sign in with the new address/)
  t.match((await mailsOf(w)).at(-1), { kind: 'email_changed', new_email: 'new@mail.test' })
  const stale = await page('/confirm-email-change', '#token=a.b.c')
  await stale.press()
  t.match(stale, { shown: true, said: /not valid/ })
})

/** Runs a page's script against the service, with so much of a browser as it uses. */
function openPage ({ call }: World, html: string, fragment: string) {
  const inner = (pattern: RegExp) => pattern.exec(html)?.[1]
  const listeners: Record<string, (event: object) => Promise<void>> = {}
  const form = { hidden: true, dataset: { action: inner(/data-action="([^"]+)"/)! }, addEventListener: (name: string, listener: (event: object) => Promise<void>) => { listeners[name] = listener } }
  const [status, button, location] = [{ textContent: '', className: '' }, { disabled: false }, { hash: fragment, pathname: '/page' }]
  const password = html.includes('id="password"') ? { value: '', type: 'password', focus: () => {} } : null
  const query: Record<string, unknown> = { form, button }
  runInContext(inner(/<script>([^]*)<\/script>/)!, createContext({
    URLSearchParams, location, history: { replaceState: () => { location.hash = '' } },
    document: {
      querySelector: (selector: string) => query[selector] ?? { textContent: inner(new RegExp(`<p ${selector.slice(1, -1)}>([^<]*)</p>`)) },
      getElementById: (name: string) => ({ status, password } as Record<string, unknown>)[name] ?? null,
    },
    fetch: async (url: string, { method, headers, body }: { method: string, headers: Record<string, string>, body: string }) => {
      const answer = await call(method, `/${url}`, { body, headers: { ...headers, origin: 'http://localhost:3000' } })
      return { ok: answer.statusCode < 300, json: async () => answer.json() as unknown }
    },
  }))
  return {
    get shown () { return !form.hidden },
    get said () { return status.textContent },
    get fragment () { return location.hash },
    press: async (value = '') => {
      if (password) password.value = value
      await listeners['submit']!({ preventDefault: () => {} })
    },
  }
}
