import type { FastifyRequest } from 'fastify'

/**
 * Does the client have this already? `If-None-Match` may be a list, or `*`, and its tags weakened by whoever compressed on
 * the way (RFC 9110 §13.1.2); the quotes make a tag one word.
 */
export function isUnchanged (request: FastifyRequest, etag: string): boolean {
  const known = request.headers['if-none-match']
  return known !== undefined && (known.trim() === '*' || known.includes(etag))
}
