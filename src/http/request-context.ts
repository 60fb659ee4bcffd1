import fp from 'fastify-plugin'
import { symbols } from 'pino'
import type { VerifierContext } from '../context.ts'
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

/** What is known of a request while it runs, and what is kept of it: a line of the log, and a count. */
export const requestContext = fp<{ tally: Tally, log: VerifierContext['log'] }>(async (app, { tally, log }) => {
  app.decorate('tally', tally)
  app.decorateRequest('refusedFor', null)
  app.setChildLoggerFactory((parent, { reqId }) => logOf(parent, reqId))
  app.addHook('onResponse', (request, reply, done) => {
    const { url: route, config: { attempt } } = request.routeOptions // made anew each time it is asked for
    const ms = reply.elapsedTime
    tally.count(request.method, route, reply.statusCode, ms / 1000)
    if (attempt) tally.attempted(attempt, reply.statusCode < 400 ? 'ok' : request.refusedFor ?? 'internal')
    log.request({ reqId: request.id, method: request.method, route, status: reply.statusCode, address: request.ip, ms: Math.round(ms) })
    done()
  })
}, { name: 'request-context' })

/** `log.child({ reqId })`, without a search for secrets in an id of ours: every request has one, and few write a line with it. */
function logOf<L extends object> (log: L, reqId: string): L {
  const child = Object.create(log)
  child[symbols.chindingsSym] = `${child[symbols.chindingsSym]},"reqId":"${reqId}"`
  return child
}
