import fp from 'fastify-plugin'

/** Every answer names its request, so that a user's report and a log line find each other: one line a request. */
export const requestContext = fp<{ draining: AbortSignal }>(async (app, { draining }) => {
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
    // A client that keeps its connection must move to another node before this one closes it under a request.
    if (draining.aborted) reply.header('connection', 'close')
  })
  app.addHook('onResponse', async (request, reply) => {
    request.log.info({ method: request.method, route: request.routeOptions.url, status: reply.statusCode, address: request.ip, ms: Math.round(reply.elapsedTime) }, 'request')
  })
}, { name: 'request-context' })
