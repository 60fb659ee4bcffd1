import fp from 'fastify-plugin'
import { AppError } from '../errors.ts'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Forms and nothing else (RFC 6749 appendix B). A parameter given twice is refused, because two readers would take two different
 * values (§3.2); an empty one counts as left out (§3.1); unknown ones are ignored. Refused besides are percent signs that encode
 * nothing, bad UTF-8 and NUL.
 */
export const formBody = fp(async app => {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'buffer' }, (_request, body, done) => {
    try { done(null, parseForm(decoder.decode(body as Buffer))) } catch (cause) {
      done(cause instanceof AppError ? cause : new AppError('invalid_request', { detail: 'The body is not a form in UTF-8.', cause }))
    }
  })
}, { name: 'form-body' })

/** @throws invalid_request, URIError */
function parseForm (text: string): Record<string, string> {
  const seen = new Set<string>()
  // No prototype: a parameter may be called anything.
  const form: Record<string, string> = Object.create(null)
  for (const pair of text.split('&')) {
    if (pair === '') continue
    const at = pair.indexOf('=')
    const name = decodeFormText(at < 0 ? pair : pair.slice(0, at))
    const value = at < 0 ? '' : decodeFormText(pair.slice(at + 1))
    if (seen.has(name)) throw new AppError('invalid_request', { detail: 'A parameter is given twice.' })
    if (name.includes('\0') || value.includes('\0')) throw new AppError('invalid_request', { detail: 'A parameter has a NUL.' })
    seen.add(name)
    if (value !== '') form[name] = value
  }
  return form
}

/** @throws URIError */
export const decodeFormText = (text: string): string => decodeURIComponent(text.replaceAll('+', ' '))
