import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify'
import fp from 'fastify-plugin'
import { AppError } from '../errors.ts'
import { isUnlimited } from './rate-limit.ts'
import { fromLibraries } from './route-rules.ts'

/** What a request may wait for its turn and its database, in milliseconds. */
const HANDLER_TIMEOUT_MS = 15_000

type Handler = (this: FastifyInstance, request: FastifyRequest, reply: FastifyReply) => Promise<unknown>

/**
 * What `handlerTimeout` of Fastify does, for a part of what that costs a request with a body: it makes an error to abort a signal with as soon as the body was read, and nobody here
 * listens to it (see client-gone.ts). Registered after whatever else puts itself around handlers, so that its waits count too. A route that may be called as often as one likes
 * answers from memory and is not timed: that would be a good part of its cost.
 */
export const handlerTimeout = fp(async app => {
  app.addHook('onRoute', route => {
    if (isUnlimited(route.config!.limit!) || route.handlerTimeout !== undefined || fromLibraries(route.url)) return
    route.handler = within(HANDLER_TIMEOUT_MS, route.handler as Handler)
  })
}, { name: 'handler-timeout', dependencies: ['route-rules'] })

/** What comes later is dropped. @throws database_unavailable */
function within (ms: number, handle: Handler): RouteHandlerMethod {
  return async function (request, reply) {
    let timer: NodeJS.Timeout | undefined
    const over = new Promise((_resolve, reject) => { timer = setTimeout(() => { reject(new AppError('database_unavailable', { retryAfterSeconds: 2 })) }, ms) })
    try { return await Promise.race([handle.call(this, request, reply), over]) } finally { clearTimeout(timer) }
  }
}
