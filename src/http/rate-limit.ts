import rateLimit, { normalizeIP } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Passwords } from '../core/passwords/hash.ts'
import { AtOnce } from '../core/throttle/at-once.ts'
import { isShared } from '../core/throttle/classes.ts'
import type { Limits } from '../core/throttle/limits.ts'
import { AppError } from '../errors.ts'
import { clientGone } from './client-gone.ts'

/** Requests per minute (sign-up, mail: per hour) and address; null: no limit. Local to a node: a pre-filter that costs no round trip, and that the workers of a node share out. */
const classes = {
  open: 600,
  verify: null,
  session: 300,
  account: 120,
  admin: 300,
  'sign-in': 60,
  'sign-up': 30,
  /** What sends mail; a route says which mailbox too (`limits.mailbox`). */
  mail: 30,
  /** Probes of the platform. */
  probe: null,
} as const

export type RateLimitClass = keyof typeof classes
export const isUnlimited = (limit: RateLimitClass): boolean => classes[limit] === null
const HOURLY: readonly RateLimitClass[] = ['sign-up', 'mail']

/** What counts, and what queues, for all routes of a kind. */
type Shared = { limits: Limits, passwords: Passwords }

/** Those that have a password hashed for anybody who comes. */
const HASHING: readonly RateLimitClass[] = ['sign-in', 'sign-up']

/** Whom a request counts against: an IPv4 address, also when mapped into IPv6, or an IPv6 /64. */
export const addressBucket = (request: FastifyRequest): string => normalizeIP(request.ip, 64)

export const rateLimits = fp<{ scale: number, workers: number, shared: Shared | null }>(async (app, { scale, workers, shared }) => {
  await app.register(rateLimit, {
    global: false,
    cache: 20_000,
    keyGenerator: addressBucket,
    addHeaders: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false, 'retry-after': false },
    addHeadersOnExceeding: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false },
    errorResponseBuilder: (_request, { ttl }) => new AppError('too_many_requests', { retryAfterSeconds: Math.ceil(ttl / 1000) }),
  })
  // One counter for a class: given to each route, the plugin would count each route apart.
  const limiters = new Map(Object.entries(classes).flatMap(([name, max]) => max === null
    ? []
    : [[name, app.rateLimit({ max: Math.ceil(max * scale / workers), timeWindow: HOURLY.includes(name as RateLimitClass) ? 3_600_000 : 60_000 })] as const]))

  const atOnce = new AtOnce()
  app.addHook('onRoute', route => {
    const limit = route.config?.limit
    const limiter = limiters.get(limit ?? '')
    if (limiter) route.onRequest = [...[route.onRequest ?? []].flat(), limiter]
    if (!shared || !isShared(limit)) return
    const { limits, passwords } = shared
    const handle = route.handler as (this: FastifyInstance, request: FastifyRequest, reply: FastifyReply) => Promise<unknown>
    // Once the request can be read, for all nodes together. A sign-in counts itself, at the same time as it reads the account.
    route.handler = async function (request, reply) {
      const address = addressBucket(request)
      const work = async () => {
        if (limit !== 'sign-in') await limits.attempt(limit, address)
        return await handle.call(this, request, reply)
      }
      const answer = atOnce.run(address, HASHING.includes(limit) ? async () => await passwords.enter({ bucket: address, signal: clientGone(reply) }, work) : work)
      if (answer === null) throw new AppError(limit === 'mail' ? 'too_many_requests' : 'login_busy', { retryAfterSeconds: 1 + Math.floor(Math.random() * 5) })
      return await answer
    }
  })
}, { name: 'rate-limits' })
