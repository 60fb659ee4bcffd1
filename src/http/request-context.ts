import fp from 'fastify-plugin'
import type { Tally } from './tally.ts'

declare module 'fastify' {
  interface FastifyInstance { tally: Tally }
}

/** Every answer names its request, so that a user's report and a log line find each other: one line a request. */
export const requestContext = fp<{ leaving: AbortSignal, tally: Tally }>(async (app, { leaving, tally }) => {
  app.decorate('tally', tally)
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
    // A client that keeps its connection must move on before this process closes it under a request.
    if (leaving.aborted) reply.header('connection', 'close')
  })
  app.addHook('onResponse', async (request, reply) => {
    tally.count(request.method, request.routeOptions.url, reply.statusCode)
    request.log.info({ method: request.method, route: request.routeOptions.url, status: reply.statusCode, address: request.ip, ms: Math.round(reply.elapsedTime) }, 'request')
  })
}, { name: 'request-context' })
