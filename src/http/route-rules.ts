import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify'
import fp from 'fastify-plugin'
import { AppError } from '../errors.ts'
import { isUnlimited, type RateLimitClass } from './rate-limit.ts'

/**
 * Who may call: anybody, the holder of an access token, or, where the handler checks it, the holder of a refresh token, a client that
 * authenticates, that or a bearer with a scope, or the holder of the token that the request is about.
 */
export type AuthMode = 'none' | 'bearer' | 'refresh_token' | 'client' | 'client_or_bearer' | 'token_holder'

declare module 'fastify' {
  interface FastifyContextConfig {
    auth?: AuthMode
    limit?: RateLimitClass
    /** Scope an access token must have here. Only with auth: 'bearer'. */
    scope?: string
    /** Reads or sets a cookie: a browser may call it from allowed origins only. */
    sameSiteOnly?: true
    /** Readable from every origin, without credentials. */
    publicRead?: true
  }
}

/** Routes that a library makes cannot declare anything; these are all, and all are public. */
const fromLibraries = (url: string): boolean => url === '*' || url === '/docs' || url.startsWith('/docs/')

/** What a handler may wait for, in milliseconds: its database. One that may be called as often as one likes answers from memory, and is not timed: that would be a good part of its cost. */
const HANDLER_TIMEOUT_MS = 15_000

type Handler = (this: FastifyInstance, request: FastifyRequest, reply: FastifyReply) => Promise<unknown>

/**
 * What `handlerTimeout` of Fastify does, for a tenth of what that costs a request with a body: it makes an error to abort a signal with as soon as the body was read,
 * and nobody here listens to it (see client-gone.ts). What comes later is dropped.
 */
function within (ms: number, handle: Handler): RouteHandlerMethod {
  return async function (request, reply) {
    let timer: NodeJS.Timeout | undefined
    const over = new Promise((_resolve, reject) => { timer = setTimeout(() => { reject(new AppError('database_unavailable', { retryAfterSeconds: 2 })) }, ms) })
    try { return await Promise.race([handle.call(this, request, reply), over]) } finally { clearTimeout(timer) }
  }
}

/** A route that does not say who may call it and how often is a mistake, and stops the start. */
export const routeRules = fp(async app => {
  app.addHook('onRoute', route => {
    if (fromLibraries(route.url)) route.config = { auth: 'none', limit: 'open', ...route.config }
    const { url, method, config } = route
    const missing = [config?.auth === undefined && 'auth', config?.limit === undefined && 'limit'].filter(Boolean)
    if (missing.length > 0) throw new Error(`${String(method)} ${url} does not declare config.${missing.join(' and config.')}`)
    if (config?.scope !== undefined && config.auth !== 'bearer') throw new Error(`${String(method)} ${url} declares a scope, but not auth: 'bearer'`)
    if (!isUnlimited(config!.limit!) && route.handlerTimeout === undefined && !fromLibraries(url)) route.handler = within(HANDLER_TIMEOUT_MS, route.handler as Handler)
  })
}, { name: 'route-rules' })
