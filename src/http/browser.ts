import cors from '@fastify/cors'
import fp from 'fastify-plugin'
import type { FastifyRequest } from 'fastify'
import helmet, { type HelmetOptions } from 'helmet'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { AppError } from '../errors.ts'

/**
 * What stands between a page of another site and the cookie: exact origins for CORS, and on every route that reads or sets
 * the cookie a check of where the request comes from. SameSite=Strict alone does not stop a sibling subdomain.
 */
export const browserRules = fp<{ publicUrl: string, corsOrigins: readonly string[] }>(async (app, { publicUrl, corsOrigins }) => {
  const ownOrigin = new URL(publicUrl).origin
  const mayCall = (origin: string): boolean => origin === ownOrigin || corsOrigins.includes(origin)

  const everywhere = fixedHeaders({
    contentSecurityPolicy: { useDefaults: false, directives: { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] } },
    strictTransportSecurity: publicUrl.startsWith('https:') ? { maxAge: 63_072_000, includeSubDomains: false } : false,
    referrerPolicy: { policy: 'no-referrer' },
    frameguard: { action: 'deny' },
    dnsPrefetchControl: false,
    ieNoOpen: false,
    originAgentCluster: false,
    permittedCrossDomainPolicies: false,
    xssFilter: false,
    crossOriginResourcePolicy: { policy: 'cross-origin' }, // CORS decides; a plain "same-origin" would shut out the allowed ones
  })
  // Not strict: the plugin would answer an OPTIONS that is no preflight with an error in plain text.
  await app.register(cors, { strictPreflight: false, origin: [...corsOrigins], credentials: true, methods: ['GET', 'POST', 'PATCH', 'DELETE'], allowedHeaders: ['authorization', 'content-type', 'idempotency-key'], exposedHeaders: ['retry-after', 'x-request-id'], maxAge: 600 })
  app.addHook('onRoute', route => {
    if (route.config?.publicRead) Object.assign(route.config, { cors: { origin: '*', credentials: false, exposedHeaders: null } })
    if (route.config?.sameSiteOnly) route.onRequest = [requireAllowedCaller, ...[route.onRequest ?? []].flat()]
  })

  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(everywhere)
    done()
  })

  async function requireAllowedCaller (request: FastifyRequest): Promise<void> {
    if (!isAllowedCaller(request)) throw new AppError('origin_not_allowed')
  }

  /** Who is not a browser has no page that a foreign one could speak through. */
  function isAllowedCaller ({ headers }: FastifyRequest): boolean {
    if (headers.origin !== undefined) return mayCall(headers.origin)
    const site = headers['sec-fetch-site']
    return site === undefined || site === 'same-origin' || site === 'none'
  }
}, { name: 'browser-rules' })

/** What helmet sets, and `Cache-Control`: asked once, because every answer has the same. */
function fixedHeaders (options: HelmetOptions): Record<string, string> {
  const headers: Record<string, string> = { 'cache-control': 'no-store' }
  const response = { setHeader: (name: string, value: string) => { headers[name.toLowerCase()] = value }, removeHeader: () => {} }
  helmet(options)({} as IncomingMessage, response as unknown as ServerResponse, () => {})
  return headers
}

/** A browser says where a request comes from in one of two headers, which its pages cannot change; without either it is not a browser. */
export const isBrowser = ({ headers }: FastifyRequest): boolean => headers.origin !== undefined || headers['sec-fetch-site'] !== undefined
