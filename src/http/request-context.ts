import fp from 'fastify-plugin'
import type { Log } from '../log.ts'
import type { Attempt, Outcome, Tally } from './tally.ts'

declare module 'fastify' {
  interface FastifyInstance { tally: Tally }
  interface FastifyContextConfig {
    /** What of the metrics its outcomes are counted as. */
    attempt?: Attempt
  }
  interface FastifyRequest {
    /** Why it was refused, once it was. */
    refusedFor: Exclude<Outcome, 'ok'> | null
  }
}

/** Every answer names its request, so that a user's report and a log line find each other: one line a request. */
export const requestContext = fp<{ leaving: AbortSignal, tally: Tally, log: Log }>(async (app, { leaving, tally, log }) => {
  app.decorate('tally', tally)
  app.decorateRequest('refusedFor', null)
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    // A client that keeps its connection must move on before this process closes it under a request.
    if (leaving.aborted) reply.header('connection', 'close')
    done()
  })
  app.addHook('onResponse', (request, reply, done) => {
    const { url: route, config: { attempt } } = request.routeOptions // made anew each time it is asked for
    const ms = reply.elapsedTime
    tally.count(request.method, route, reply.statusCode, ms / 1000)
    if (attempt) tally.attempted(attempt, reply.statusCode < 400 ? 'ok' : request.refusedFor ?? 'internal')
    log.request({ reqId: request.id, method: request.method, route, status: reply.statusCode, address: request.ip, ms: Math.round(ms) })
    done()
  })
}, { name: 'request-context' })
