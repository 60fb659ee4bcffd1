import createClient from 'openapi-fetch'
import { AuthError, errorOf } from './error.ts'
import type { paths } from './generated/api.ts'
import { endsSession, isRepeatable, mayEndSession, takesToken, usesCookies } from './operations.ts'
import { abortable, isAway, retried } from './retry.ts'
import { createSession } from './session.ts'
import { now } from './token.ts'
import type { Api, Auth, AuthOptions, Tokens, User } from './types.ts'

/** No answer after this long is none. */
const TIMEOUT = 10_000

export function createAuth ({ baseUrl, fetch: given }: AuthOptions): Auth {
  const base = new URL(baseUrl, globalThis.location?.href).href.replace(/\/+$/, '')
  const send: typeof fetch = async (...args) => await (given ?? globalThis.fetch)(...args)

  /** One try. @throws AuthError, unless it was the caller who gave up */
  async function once (request: Request): Promise<Response> {
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT)])
    let answer
    try {
      answer = await send(request, { signal })
    } catch (cause) {
      if (request.signal.aborted) throw cause
      throw new AuthError('network_error', 0, { detail: 'The service cannot be reached', cause })
    }
    if (answer.ok || answer.status === 304) return answer
    throw await errorOf(answer)
  }

  const session = createSession({
    name: `stateless-auth ${base}`,
    refresh: async () => await (await once(new Request(`${base}/v1/auth/refresh`, { method: 'POST', credentials: 'include' }))).json() as Tokens,
    userOf: async token => await (await once(new Request(`${base}/v1/me`, { headers: bearer(token) }))).json() as User,
  })
  const { store } = session

  /** What openapi-fetch sends through. */
  async function operation (given: Request): Promise<Response> {
    const path = given.url.slice(base.length).replace(/[?#].*/, '')
    const request = new Request(given, { credentials: usesCookies(path) ? 'include' : 'omit' })
    const attempt = async () => {
      const token = takesToken(path) ? await abortable(session.current(), request.signal) : null
      try {
        return await carryOut(request, path, token?.value)
      } catch (error) {
        if (!token || !(error instanceof AuthError) || error.code !== 'invalid_token') throw error
        return await carryOut(request, path, (await abortable(session.renew(token.value), request.signal)).value)
      }
    }
    // A full queue says so before it has done anything.
    const answer = await retried(attempt, error => isAway(error) && error.status !== 429 && (isRepeatable(request, path) || error.code === 'login_busy'), request.signal)
    if (mayEndSession(request.method, path) && store.state.status === 'signed_in') session.current().then(async ({ value }) => await session.renew(value)).catch(() => {})
    return answer
  }

  /** Whatever writes the cookie does so alone: the answer to a refresh must not overwrite that to a sign-in. */
  async function carryOut (request: Request, path: string, token: string | undefined): Promise<Response> {
    const copy = request.clone()
    if (token !== undefined) copy.headers.set('authorization', `Bearer ${token}`)
    if (!usesCookies(path)) return await once(copy)
    return await session.alone(async () => {
      const asked = now()
      const answer = await once(copy)
      if (endsSession(path)) session.end('signed_out')
      else if (answer.status === 200) {
        const tokens = await answer.clone().json() as Tokens & { user?: User }
        const user = tokens.user ?? store.state.user
        if (user) session.begin(tokens, asked, user)
      }
      return answer
    })
  }

  const api = createClient<paths, 'application/json'>({ baseUrl: base, fetch: operation }) as unknown as Api
  /** Where a fresh token is refused as well: there it is not the token. */
  const refusing = new Map<string, string>()

  return {
    get state () { return store.state },
    subscribe: store.subscribe,
    onSignedOut: store.onSignedOut,
    api,
    close: session.close,

    async restore () {
      if (store.state.status === 'unknown') {
        try { await session.renew(undefined) } catch (error) { if (store.state.status === 'unknown') throw error }
      }
      return store.state
    },

    async signUp (body) {
      const key = [...crypto.getRandomValues(new Uint8Array(16))].map(byte => byte.toString(16).padStart(2, '0')).join('')
      const { data } = await api.POST('/v1/auth/register', { body, params: { header: { 'idempotency-key': key } } })
      return 'user' in data ? { status: 'created', user: data.user } : { status: 'check_email' }
    },

    signIn: async body => (await api.POST('/v1/auth/login', { body: { ...body, refresh: 'cookie' } })).data.user,
    signOut: async () => { await api.POST('/v1/auth/logout') },
    signOutEverywhere: async () => { await api.POST('/v1/auth/logout-all') },

    async fetch (input, init) {
      const request = input instanceof Request ? input : null
      const signal = init?.signal ?? request?.signal
      const withToken = async (token: string) => {
        const headers = new Headers(init?.headers ?? request?.headers)
        headers.set('authorization', `Bearer ${token}`)
        return await send(request ? request.clone() : input, { ...init, headers })
      }
      const first = (await abortable(session.current(), signal)).value
      const answer = await withToken(first)
      const { origin } = new URL(request?.url ?? input as string, globalThis.location?.href)
      if (answer.status !== 401 || refusing.get(origin) === first || init?.body instanceof ReadableStream) return answer
      const second = (await abortable(session.renew(first), signal)).value
      await answer.body?.cancel()
      const again = await withToken(second)
      if (again.status === 401) refusing.set(origin, second)
      return again
    },
  }
}

const bearer = (token: string): HeadersInit => ({ authorization: `Bearer ${token}` })
