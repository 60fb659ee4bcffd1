import { randomBytes } from 'node:crypto'
import t from 'tap'
import { browser } from '../helpers/browser.ts'
import { PASSWORD, world } from '../helpers/world.ts'

const REFRESH = 'POST /v1/auth/refresh'

async function site (t: Parameters<typeof world>[0], env: Record<string, string> = {}) {
  const w = await world(t, env)
  const url = await w.app.listen({ port: 0, host: '127.0.0.1' })
  return { ...w, url, email: `${randomBytes(6).toString('hex')}@example.com` }
}

t.test('a page signs up, signs in, calls, is loaded again and signs out', async t => {
  const { url, email } = await site(t)
  const b = browser(t, url)
  const auth = b.tab()
  const said: unknown[] = []
  auth.onSignedOut(event => said.push(event))
  t.equal(auth.state.status, 'unknown')
  t.equal((await auth.restore()).status, 'signed_out')
  t.strictSame(said, [], 'who was not signed in is not signed out')
  t.match(await auth.signUp({ email, password: PASSWORD, name: 'Ada' }), { status: 'created', user: { email } })
  t.match(await auth.signIn({ email, password: PASSWORD }), { email, name: 'Ada' })
  t.match((await auth.api.GET('/v1/me')).data, { email })
  const reloaded = b.tab()
  t.match(await reloaded.restore(), { status: 'signed_in', user: { email } })
  t.equal((await reloaded.fetch(`${url}/v1/auth/verify`)).status, 200)
  await auth.signOut()
  t.equal(auth.state.status, 'signed_out')
  t.match(said, [{ reason: 'signed_out', user: { email } }])
  t.equal(b.count(REFRESH), 2)
})
