import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { AppError, errorCodes } from '../errors.ts'
import { formBody } from './form-body.ts'
import { oauthErrorOf } from './oauth-errors.ts'
import { sendError, toAppError } from './problem.ts'

export const isOauthPath = (url: string): boolean => url.startsWith('/oauth2/')

/**
 * What is different below /oauth2, for the plugins registered beside it: bodies are forms, and every error, also of a body that could
 * not be read and of a path that does not exist, is that of RFC 6749 §5.2.
 */
export const oauthScope = fp(async app => {
  await app.register(formBody)
  app.setErrorHandler((error, request, reply) => sendOauthError(request, reply, toAppError(error as FastifyError)))
  // A 404 is of the root unless a prefix has its own.
  await app.register(async paths => {
    paths.setNotFoundHandler((request, reply) => sendOauthError(request, reply, new AppError('not_found')))
  }, { prefix: '/oauth2' })
  app.addHook('preValidation', async request => {
    // What travels in a URL ends in logs (RFC 6749 §2.3.1, RFC 7009 §2.1).
    if (Object.keys(request.query as object).length > 0) throw new AppError('invalid_request', { detail: 'Parameters go into the body, not into the URL.' })
  })
}, { name: 'oauth-scope' })

export const sendOauthError = (request: FastifyRequest, reply: FastifyReply, error: AppError): FastifyReply =>
  sendError(request, reply, error, 'application/json; charset=utf-8', { error: oauthErrorOf(error.code), error_description: describe(error) })

const MEDIA_TYPE = 'The request body must be application/x-www-form-urlencoded'

function describe ({ code, status, extra: { detail, errors } }: AppError): string {
  if (status >= 500) return errorCodes[code].title
  if (code === 'unsupported_media_type') return MEDIA_TYPE
  const [fault] = errors ?? []
  return plain(fault ? `${fault.pointer.slice(1)} ${fault.message}`.trim() : detail ?? errorCodes[code].title)
}

/** RFC 6749 §5.2: printable ASCII without quotes and backslashes. */
const plain = (text: string): string => text.replaceAll(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '?').slice(0, 200)
