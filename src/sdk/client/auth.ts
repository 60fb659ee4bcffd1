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
  const here = globalThis.location?.href
  const base = new URL(baseUrl, here).href.replace(/\/+$/, '')
  const send: typeof fetch = async (input, init) => await (given ?? globalThis.fetch)(input, init)

  /** One try, with all of its answer. @throws AuthError, unless it was the caller who gave up */
  async function once (request: Request): Promise<Response> {
    let answer
    try {
      answer = await send(request, { signal: AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT)]) })
      await answer.clone().arrayBuffer()
    } catch (cause) {
      if (request.signal.aborted) throw cause
      throw new AuthError('network_error', 0, { detail: 'The service cannot be reached', cause })
    }
    if (answer.ok || answer.status === 304) return answer
    throw await errorOf(answer)
  }

  const session = createSession({
    name: `stateless-auth/1 ${base}`,
    refresh: async () => await (await once(new Request(`${base}/v1/auth/refresh`, { method: 'POST', credentials: 'include' }))).json() as Tokens,
    userOf: async token => await (await once(new Request(`${base}/v1/me`, { headers: { authorization: `Bearer ${token}` } }))).json() as User,
  })
  const { store } = session

  /** What openapi-fetch sends through: only successes come back. */
  async function operation (request: Request): Promise<Response> {
    const path = request.url.slice(base.length).replace(/[?#].*/, '')
    // A full queue says so before anything is done.
    const mayRepeat = (error: unknown) => isAway(error) && error.status !== 429 && (error.code === 'login_busy' || isRepeatable(request, path))
    const carryOut = async (token: string | undefined) => await retried(async () => await attempt(request.clone(), path, token), mayRepeat, request.signal)
    // Signing out works without one, and where the cookie was lost by it.
    const token = takesToken(path) ? await abortable(session.current(), request.signal) : endsSession(path) ? session.held() : undefined
    let answer
    try {
      answer = await carryOut(token)
    } catch (error) {
      if (!token || !(error instanceof AuthError) || error.code !== 'invalid_token') throw error
      answer = await carryOut((await abortable(session.renew(token), request.signal)).value)
    }
    if (path === '/v1/me' && answer.status === 200) session.know(await answer.clone().json() as User)
    session.check(sid => mayEndSession(path, sid))
    return answer
  }

  /** Whatever writes the cookie does so alone: the answer to a refresh must not overwrite that to a sign-in. */
  async function attempt (request: Request, path: string, token: string | undefined): Promise<Response> {
    if (token) request.headers.set('authorization', `Bearer ${token}`)
    if (!usesCookies(path)) return await once(request)
    return await session.alone(async () => {
      const asked = now()
      const answer = await once(new Request(request, { credentials: 'include' }))
      if (endsSession(path)) session.end()
      else if (answer.status === 200) {
        const tokens = await answer.clone().json() as Tokens & { user?: User }
        const user = tokens.user ?? store.state.user
        if (user) session.begin(tokens, asked, user)
      }
      return answer
    })
  }

  const api = createClient<paths, 'application/json'>({ baseUrl: base, fetch: operation }) as unknown as Api
  /** Where a fresh token was refused as well: there it is not for its age. */
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
      return 'user' in data ? { status: 'created', user: data.user } : data
    },

    signIn: async body => (await api.POST('/v1/auth/login', { body })).data.user,
    signOut: async () => { await api.POST('/v1/auth/logout') },

    async signOutEverywhere () {
      const { status } = store.state
      try {
        await api.POST('/v1/auth/logout-all')
      } catch (error) {
        // A lost answer, repeated: the first try has ended this session too.
        if (status === 'signed_out' || store.state.status !== 'signed_out') throw error
      }
    },

    async fetch (input, init) {
      const request = input instanceof Request ? input : null
      const signal = init?.signal ?? request?.signal
      const withToken = async (token: string) => {
        const headers = new Headers(init?.headers ?? request?.headers)
        headers.set('authorization', `Bearer ${token}`)
        return await send(request ? request.clone() : input, { ...init, headers })
      }
      const first = await abortable(session.current(), signal)
      const answer = await withToken(first)
      const { origin } = new URL(request?.url ?? input as string | URL, here)
      // What has flowed away cannot be sent again.
      if (answer.status !== 401 || refusing.get(origin) === first || init?.body instanceof ReadableStream) return answer
      await answer.body?.cancel()
      const second = (await abortable(session.renew(first), signal)).value
      const again = await withToken(second)
      if (again.status === 401) refusing.set(origin, second)
      return again
    },
  }
}
