import type { FastifyRequest } from 'fastify'
import { AppError } from '../errors.ts'

const SCHEME = /^bearer /i
const TOKEN = /^[\x21-\x7e]+$/

/** The one bearer token of a request (RFC 6750 §2). */
export const bearerToken = (request: FastifyRequest): string => asToken(bearerText(request))

/**
 * What stands where a bearer token should, whatever it is: one that is known need not be looked at letter by letter. Only the header counts: what travels in a URL ends in logs. A token
 * in two places is refused, because a gateway may have looked at the other one.
 */
export function bearerText (request: FastifyRequest): string {
  const { authorization } = request.headers
  if (authorization === undefined) throw new AppError('invalid_token')
  if (countHeaders(request.raw.rawHeaders, 'authorization') > 1 || hasQueryToken(request)) throw new AppError('invalid_request', { detail: 'Send one access token, in the Authorization header.' })
  if (!SCHEME.test(authorization)) throw new AppError('invalid_token')
  return authorization.slice('bearer '.length)
}

export function asToken (text: string): string {
  if (!TOKEN.test(text)) throw new AppError('invalid_token')
  return text
}

const hasQueryToken = (request: FastifyRequest): boolean =>
  typeof request.query === 'object' && request.query !== null && 'access_token' in request.query

/** Node.js keeps the first of repeated Authorization headers in silence. */
function countHeaders (rawHeaders: readonly string[], name: string): number {
  let count = 0
  for (let position = 0; position < rawHeaders.length; position += 2) {
    const header = rawHeaders[position]!
    if (header.length === name.length && header.toLowerCase() === name) count++
  }
  return count
}
