import fp from 'fastify-plugin'
import type { RateLimitClass } from './rate-limit.ts'

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
export const fromLibraries = (url: string): boolean => url === '*' || url === '/docs' || url.startsWith('/docs/')

/** A route that does not say who may call it and how often is a mistake, and stops the start. */
export const routeRules = fp(async app => {
  app.addHook('onRoute', route => {
    if (fromLibraries(route.url)) route.config = { auth: 'none', limit: 'open', ...route.config }
    const { url, method, config } = route
    const missing = [config?.auth === undefined && 'auth', config?.limit === undefined && 'limit'].filter(Boolean)
    if (missing.length > 0) throw new Error(`${String(method)} ${url} does not declare config.${missing.join(' and config.')}`)
    if (config?.scope !== undefined && config.auth !== 'bearer') throw new Error(`${String(method)} ${url} declares a scope, but not auth: 'bearer'`)
  })
}, { name: 'route-rules' })
