import fp from 'fastify-plugin'
import { AppError } from '../errors.ts'

const MAX_DEPTH = 16
/** Leaves a byte order mark to the parser: each would take one away. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * JSON and nothing else: Fastify would also parse text/plain, which a form on a foreign page can send without a
 * preflight. Refused besides what is not JSON: bad UTF-8, `__proto__` and `constructor.prototype`, NUL (PostgreSQL
 * cannot store it) and lone surrogates (they change when stored), and nesting that no request of ours has.
 */
export const jsonBody = fp(async app => {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    if (body.length === 0) { done(null, undefined); return }
    let text: string
    try { text = decoder.decode(body as Buffer) } catch (cause) { done(new AppError('malformed_request', { detail: 'The body is not UTF-8.', cause })); return }
    parse(request, text, (error, value) => {
      if (error) done(new AppError('malformed_request', { detail: 'The body is not JSON, or has a forbidden member.', cause: error }))
      else if (!isPlain(value, MAX_DEPTH)) done(new AppError('malformed_request', { detail: 'The body has a NUL, half a surrogate pair, or is nested too deeply.' }))
      else done(null, value)
    })
  })
}, { name: 'json-body' })

function isPlain (value: unknown, depth: number): boolean {
  if (typeof value === 'string') return isPlainText(value)
  if (typeof value !== 'object' || value === null) return true
  if (depth === 0) return false
  return Object.entries(value).every(([key, member]) => isPlainText(key) && isPlain(member, depth - 1))
}

const isPlainText = (text: string): boolean => text.isWellFormed() && !text.includes('\0')
