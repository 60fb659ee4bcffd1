import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance, type FastifyPluginAsync } from 'fastify'
import { randomUUID } from 'node:crypto'
import type { Context, VerifierContext } from './context.ts'
import { healthRoutes } from './features/health/routes.ts'
import { introspectionRoutes } from './features/introspection/routes.ts'
import { revocationFeedRoutes } from './features/revocation-feed/routes.ts'
import { verifyRoutes } from './features/verify/routes.ts'
import { wellKnownRoutes } from './features/well-known/routes.ts'
import { authenticate } from './http/authenticate.ts'
import { browserRules } from './http/browser.ts'
import { lateCompilers } from './http/compilers.ts'
import { handlerTimeout } from './http/handler-timeout.ts'
import { jsonBody } from './http/json-body.ts'
import { refuseOtherMethods } from './http/methods.ts'
import { isOauthPath, oauthScope } from './http/oauth-problem.ts'
import { openapi } from './http/openapi.ts'
import { problems } from './http/problem.ts'
import { rateLimits } from './http/rate-limit.ts'
import { requestContext } from './http/request-context.ts'
import { routeRules } from './http/route-rules.ts'
import { Tally } from './http/tally.ts'
import { refuseBytes, refuseUrl } from './http/unreadable.ts'

/**
 * The map of the house: what every request passes, in order, and then the features: those that need a database, and those that
 * a node with MODE=verifier has too.
 * @param draining aborted once the node was told to stop: it is not ready any more
 * @param leaving aborted once this process was: its connections shall move on, to another node or to the worker that takes its place
 * @param tally where requests are counted
 * @param spans where they are traced
 */
export async function buildApp (
  ctx: Context | VerifierContext,
  { draining = new AbortController().signal, leaving = draining, tally = new Tally(), spans = null }: { draining?: AbortSignal, leaving?: AbortSignal, tally?: Tally, spans?: FastifyPluginAsync | null } = {}
): Promise<FastifyInstance> {
  const { config } = ctx
  const app = Fastify({
    loggerInstance: ctx.log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    trustProxy: config.trustedProxies.length > 0 ? [...config.trustedProxies] : false,
    bodyLimit: 65_536,
    requestTimeout: 30_000,
    return503OnClosing: false, // what still arrives while closing is answered, not refused
    keepAliveTimeout: 72_000,
    http: { maxHeaderSize: 16_384, headersTimeout: 10_000, connectionsCheckingInterval: 2_000 },
    routerOptions: { maxParamLength: 128 },
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors: false } },
    schemaController: { compilersFactory: lateCompilers } as object,
    frameworkErrors: refuseUrl,
    clientErrorHandler: refuseBytes,
  })

  const routes = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method }) => {
    if (url !== '*') routes.set(url, new Set([...routes.get(url) ?? [], ...[method].flat()]))
  })

  await app.register(routeRules)
  // Before whatever sees a request, so that it happens within the span.
  if (spans) await app.register(spans)
  await app.register(problems)
  await app.register(requestContext, { tally, log: ctx.log })
  await app.register(jsonBody)
  await app.register(browserRules, { ...config, leaving })
  await app.register(rateLimits, { scale: config.rateLimitScale, workers: config.workers, shared: hasDatabase(ctx) ? ctx : null })
  await app.register(handlerTimeout)
  await app.register(authenticate, { ctx })
  await app.register(openapi, config)

  const full = hasDatabase(ctx) ? { ctx, ...await import('./app-full.ts') } : null
  if (full) await full.databaseRoutes(app, full)
  // In either mode, so nothing here may import a store.
  await app.register(verifyRoutes, { ctx })
  await app.register(wellKnownRoutes, { ctx })
  await app.register(revocationFeedRoutes, { ctx, leaving, tally })
  await app.register(async oauth => {
    await oauth.register(oauthScope)
    if (full) await oauth.register(full.oauthRoutes, { ctx: full.ctx })
    await oauth.register(introspectionRoutes, { ctx })
    refuseOtherMethods(oauth, new Map([...routes].filter(([url]) => isOauthPath(url))))
  })
  await app.register(healthRoutes, { ctx, draining })
  // Loaded only where it is shown: it brings half as much code as the rest of the service.
  if (config.docs) await app.register((await import('./features/reference/routes.ts')).referenceRoutes)

  refuseOtherMethods(app, new Map(routes))
  // RFC 9110 §10.1.1: an expectation that nobody knows may be ignored. Node.js would answer 417 by itself, with an empty body.
  app.server.on('checkExpectation', (request, response) => { app.routing(request, response) })
  await app.ready()
  return app
}

const hasDatabase = (ctx: Context | VerifierContext): ctx is Context => ctx.config.mode === 'full'
