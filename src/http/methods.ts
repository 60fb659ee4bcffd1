import type { FastifyInstance } from 'fastify'
import { AppError } from '../errors.ts'

/**
 * A known path with another method answers 405 and names the methods it has (RFC 9110 §15.5.6), where the router alone would say 404.
 * Called after every other route is registered; `routes` is what an onRoute hook collected.
 */
export function refuseOtherMethods (app: FastifyInstance, routes: ReadonlyMap<string, ReadonlySet<string>>): void {
  for (const [url, methods] of routes) {
    const allow = [...methods].sort().join(', ')
    const others = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'].filter(method => !methods.has(method))
    if (others.length === 0) continue // refused already, in the words of its own scope
    app.route({
      url,
      method: others,
      config: { auth: 'none', limit: 'open' },
      schema: { hide: true },
      // Before the body is read or judged: what it holds does not matter here.
      onRequest: async (_request, reply) => {
        reply.header('allow', allow)
        throw new AppError('method_not_allowed')
      },
      handler: async () => {},
    })
  }
}
