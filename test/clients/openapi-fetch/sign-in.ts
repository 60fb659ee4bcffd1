import createClient from 'openapi-fetch'
import type { components, paths } from './generated/schema.d.ts'

type Problem = components['schemas']['Problem']

const auth = createClient<paths>({ baseUrl: process.env['AUTH_URL'] ?? 'http://localhost:3000' })
const email = `ada-${crypto.randomUUID()}@example.com`
const password = 'a long enough pass phrase'

/** What was asked for; a problem is thrown. */
function unwrap<T> ({ data, error }: { data?: T, error?: Problem }): T {
  if (error) throw new Error(error.code, { cause: error })
  return data!
}

const weak = await auth.POST('/v1/auth/register', { body: { email, password: 'password' } })
console.log('weak password:', weak.error?.code)

const registered = unwrap(await auth.POST('/v1/auth/register', { body: { email, password, name: 'Ada' } }))
// Where addresses must be confirmed first, the answer is the same for every address.
if (!('user' in registered)) throw new Error(registered.status)
console.log('signed up:', registered.user.name)

const wrong = await auth.POST('/v1/auth/login', { body: { email, password: 'not this one, I think' } })
console.log('wrong password:', wrong.error?.code)

// Not in a page: there the refresh token belongs into the cookie, which is the default.
const tokens = unwrap(await auth.POST('/v1/auth/login', { body: { email, password, refresh: 'body' } }))
console.log('signed in:', tokens.user.name)

const headers = { authorization: `Bearer ${tokens.access_token}` }
const me = unwrap(await auth.GET('/v1/me', { headers }))
console.log('me:', me.name, me.email === email)

const next = unwrap(await auth.POST('/v1/auth/refresh', { body: { refresh_token: tokens.refresh_token! } }))
console.log('refreshed:', next.refresh_token !== tokens.refresh_token)

unwrap(await auth.POST('/v1/auth/logout', { body: { refresh_token: next.refresh_token! } }))
console.log('signed out')

const ended = await auth.POST('/v1/auth/refresh', { body: { refresh_token: next.refresh_token! } })
console.log('refresh:', ended.error?.code)
