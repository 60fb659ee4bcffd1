import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Guesser } from '../core/passwords/check.ts'
import { clientGone } from './client-gone.ts'
import { readDeviceCookie } from './device-cookie.ts'
import { addressBucket } from './rate-limit.ts'
import { sourceOf } from './source.ts'

/** Whoever offers a password with this request. */
export const guesserOf = (request: FastifyRequest, reply: FastifyReply): Guesser =>
  ({ device: readDeviceCookie(request), source: sourceOf(request), waiter: { bucket: addressBucket(request), signal: clientGone(reply) } })
