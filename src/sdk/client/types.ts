import type { Client, ClientPathsWithMethod, FetchResponse, MaybeOptionalInit } from 'openapi-fetch'
import type { components, paths } from './generated/api.ts'

export type User = components['schemas']['User']
export type Tokens = components['schemas']['Tokens']

/** `unknown` until `restore` has an answer. */
export type AuthState =
  | { readonly status: 'unknown' | 'signed_out', readonly user: null }
  | { readonly status: 'signed_in', readonly user: User }

/** `session_ended`: by the service. `signed_out`: here, or in another tab. */
export type SignedOut = { readonly reason: 'session_ended' | 'signed_out', readonly user: User | null }

export type AuthOptions = {
  /** Where the service is; a path, if it has the origin of the page. */
  baseUrl: string
  /** Instead of the global one. */
  fetch?: typeof globalThis.fetch
}

type Init<I> = {} extends I ? [init?: I] : undefined extends I ? [init?: I] : [init: I]
type Success<R> = R extends { data: infer Data, error?: never, response: Response } ? { data: Data, response: Response } : never
type Method<M extends 'get' | 'post' | 'put' | 'patch' | 'delete'> = <P extends ClientPathsWithMethod<Client<paths>, M>, I extends MaybeOptionalInit<paths[P], M>> (
  path: P, ...init: Init<I>
) => Promise<Success<FetchResponse<paths[P][M] & {}, I, 'application/json'>>>

/** Every operation of the contract. What is no success is thrown, as AuthError, so `data` is always there. */
export type Api = { GET: Method<'get'>, POST: Method<'post'>, PUT: Method<'put'>, PATCH: Method<'patch'>, DELETE: Method<'delete'> }

export type Auth = {
  /** The same object until it changes. */
  readonly state: AuthState
  /** @returns what ends it */
  subscribe: (listener: () => void) => () => void
  /** Called once for each session that ends under this page: never for a network that is away, or a service that is. */
  onSignedOut: (listener: (event: SignedOut) => void) => () => void
  /** Whether this browser is signed in: the first thing a page does. Throws while that cannot be known. */
  restore: () => Promise<AuthState>
  /** `check_email`: where addresses are to be confirmed, also for one that has an account. Signs nobody in. */
  signUp: (account: { email: string, password: string, name?: string }) => Promise<{ status: 'created', user: User } | { status: 'check_email' }>
  /** @param credentials with `remember: false` the browser forgets the session when it closes */
  signIn: (credentials: { email: string, password: string, remember?: boolean, scope?: string }) => Promise<User>
  /** When it throws, the session has not ended: the page still has its token, and can try again. */
  signOut: () => Promise<void>
  /** Of this user, on every device. */
  signOutEverywhere: () => Promise<void>
  /** As the global one, with the access token. Only for services that may act for the user: what it is sent to can. */
  fetch: (input: string | URL | Request, init?: RequestInit) => Promise<Response>
  readonly api: Api
  /** Ends timers and listening; signs nobody out. */
  close: () => void
}
