import cors, { type FastifyCorsOptions } from '@fastify/cors'
import fp from 'fastify-plugin'
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import helmet, { type HelmetOptions } from 'helmet'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { AppError } from '../errors.ts'
import { startHeaders } from './start-headers.ts'

/**
 * What stands between a page of another site and the cookie: exact origins for CORS, and on every route that reads or sets
 * the cookie a check of where the request comes from. SameSite=Strict alone does not stop a sibling subdomain.
 */
export const browserRules = fp<{ publicUrl: string, corsOrigins: readonly string[], leaving: AbortSignal }>(async (app, { publicUrl, corsOrigins, leaving }) => {
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
  const decide = await corsHook(app, { strictPreflight: false, origin: [...corsOrigins], credentials: true, methods: ['GET', 'POST', 'PATCH', 'DELETE'], allowedHeaders: ['authorization', 'content-type', 'idempotency-key'], exposedHeaders: ['retry-after', 'x-request-id'], maxAge: 600 })
  app.addHook('onRoute', route => {
    if (route.config?.publicRead) Object.assign(route.config, { cors: PUBLIC_READ })
    if (route.config?.sameSiteOnly) route.onRequest = [requireAllowedCaller, ...[route.onRequest ?? []].flat()]
  })

  const plain = { ...everywhere, ...withoutOrigin(decide, {}) }
  const publicRead = { ...everywhere, ...withoutOrigin(decide, { cors: PUBLIC_READ }) }
  app.addHook('onRequest', function (request, reply, done) {
    const fromPage = request.headers.origin !== undefined || request.method === 'OPTIONS'
    startHeaders(reply, fromPage ? everywhere : request.routeOptions.config.publicRead ? publicRead : plain)
    // A user's report and a line of the log find each other by it.
    reply.header('x-request-id', request.id)
    // A client that keeps its connection must move on before this process closes it under a request.
    if (leaving.aborted) reply.header('connection', 'close')
    if (fromPage) decide.call(this, request, reply, done)
    else done()
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

const PUBLIC_READ: FastifyCorsOptions = { origin: '*', credentials: false, exposedHeaders: null as never }

/** The plugin, but for when its hook runs: it costs more than all other headers together, and most who call are no page of a browser. */
async function corsHook (app: FastifyInstance, options: FastifyCorsOptions): Promise<onRequestHookHandler> {
  return await new Promise((resolve, reject) => {
    const instance = {
      decorateRequest: app.decorateRequest.bind(app),
      options: app.options.bind(app),
      addHook: (_name: 'onRequest', hook: onRequestHookHandler) => { resolve(hook) },
    }
    cors(instance as unknown as FastifyInstance, options, error => { if (error) reject(error) })
  })
}

/** What the plugin answers whoever names no origin: asked once, because it is always the same. */
function withoutOrigin (decide: onRequestHookHandler, config: object): Record<string, string> {
  const headers: Record<string, string> = {}
  const reply = { getHeader: () => undefined, header: (name: string, value: string) => { headers[name.toLowerCase()] = value } }
  decide.call({} as FastifyInstance, { raw: { method: 'GET' }, headers: {}, routeOptions: { config } } as FastifyRequest, reply as unknown as FastifyReply, () => {})
  return headers
}

/** What helmet sets, and `Cache-Control`: asked once, because every answer has the same. */
function fixedHeaders (options: HelmetOptions): Record<string, string> {
  const headers: Record<string, string> = { 'cache-control': 'no-store' }
  const response = { setHeader: (name: string, value: string) => { headers[name.toLowerCase()] = value }, removeHeader: () => {} }
  helmet(options)({} as IncomingMessage, response as unknown as ServerResponse, () => {})
  return headers
}

/** A browser says where a request comes from in one of two headers, which its pages cannot change; without either it is not a browser. */
export const isBrowser = ({ headers }: FastifyRequest): boolean => headers.origin !== undefined || headers['sec-fetch-site'] !== undefined
