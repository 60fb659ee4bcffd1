import { client } from './generated/client.gen.ts'
import { getMe, login, logout, refresh, register, type Problem } from './generated/index.ts'

client.setConfig({ baseUrl: process.env['AUTH_URL'] ?? 'http://localhost:3000' })
const email = `ada-${crypto.randomUUID()}@example.com`
const password = 'a long enough pass phrase'

/** What was asked for; a problem is thrown. */
function unwrap<T> ({ data, error }: { data: T, error: undefined } | { data: undefined, error: Problem }): T {
  if (error) throw new Error(error.code, { cause: error })
  return data as T
}

const weak = await register({ body: { email, password: 'password' } })
console.log('weak password:', weak.error?.code)

const registered = unwrap(await register({ body: { email, password, name: 'Ada' } }))
// Where addresses must be confirmed first, the answer is the same for every address.
if (!('user' in registered)) throw new Error(registered.status)
console.log('signed up:', registered.user.name)

const wrong = await login({ body: { email, password: 'not this one, I think' } })
console.log('wrong password:', wrong.error?.code)

// Not in a page: there the refresh token belongs into the cookie, which is the default.
const tokens = unwrap(await login({ body: { email, password, refresh: 'body' } }))
console.log('signed in:', tokens.user.name)

const me = unwrap(await getMe({ auth: tokens.access_token }))
console.log('me:', me.name, me.email === email)

const next = unwrap(await refresh({ body: { refresh_token: tokens.refresh_token! } }))
console.log('refreshed:', next.refresh_token !== tokens.refresh_token)

unwrap(await logout({ body: { refresh_token: next.refresh_token! } }))
console.log('signed out')

const ended = await refresh({ body: { refresh_token: next.refresh_token! } })
console.log('refresh:', ended.error?.code)
