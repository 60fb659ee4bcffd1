import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { isUnavailable } from '../db/faults.ts'
import { AppError, errorCodes, type ErrorCode, type FieldError } from '../errors.ts'

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8'

/** Fastify's own refusals, in our words. Everything else it may throw with a 4xx is a request it could not read. */
const frameworkCodes: Record<string, ErrorCode> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
}

/** RFC 9457 for every error of every route, with a stable `code`. 500 and above say nothing about what happened. */
export const problems = fp(async app => {
  app.setErrorHandler((error, request, reply) => sendProblem(request, reply, toAppError(error as FastifyError)))
  app.setNotFoundHandler((request, reply) => sendProblem(request, reply, new AppError('not_found')))
}, { name: 'problems' })

export function toAppError (error: FastifyError): AppError {
  if (error instanceof AppError) return error
  if (error.validation) return new AppError('invalid_request', { errors: error.validation.map(fault => toFieldError(fault, error.validationContext)) })
  // A handler waits for nobody but the database.
  if (isUnavailable(error) || error.code === 'FST_ERR_HANDLER_TIMEOUT') return new AppError('database_unavailable', { retryAfterSeconds: 2, cause: error })
  if (error.code in frameworkCodes) return new AppError(frameworkCodes[error.code]!)
  if (error.statusCode && error.statusCode >= 400 && error.statusCode < 500) return new AppError('malformed_request', { cause: error })
  return new AppError('internal', { cause: error })
}

export const sendProblem = (request: FastifyRequest, reply: FastifyReply, error: AppError): FastifyReply =>
  sendError(request, reply, error, PROBLEM_TYPE, problemBody(error, request.id))

/** What every form of error shares: the log line, Retry-After and the challenge. */
export function sendError (request: FastifyRequest, reply: FastifyReply, error: AppError, type: string, body: object): FastifyReply {
  const { status } = error
  request.refusedFor = error.extra.countAs ?? error.code
  if (status === 500) request.log.error({ code: error.code, err: error.extra.cause ?? error }, 'request failed')
  // Expected under load and in an outage, when there are many: one short line each.
  else if (status > 500) request.log.warn({ code: error.code, ...(error.extra.cause instanceof Error && { cause: error.extra.cause.message.slice(0, 200) }) }, 'request refused')
  const { retryAfterSeconds } = error.extra
  if (retryAfterSeconds !== undefined) reply.header('retry-after', retryAfterSeconds)
  if (status === 401) reply.header('www-authenticate', challenge(request, error.code))
  return reply.code(status).type(type).serializer(JSON.stringify).send(body)
}

export function problemBody ({ code, extra: { detail, errors } }: AppError, requestId: string): object {
  const { title, status } = errorCodes[code]
  return {
    type: 'about:blank',
    title,
    status,
    code,
    ...(status < 500 && detail !== undefined && { detail }),
    request_id: requestId,
    ...(errors && { errors }),
  }
}

/** RFC 6749 §5.2 for clients; RFC 6750 §3 for bearers: `error` only where a token was presented. */
function challenge (request: FastifyRequest, code: ErrorCode): string {
  if (code === 'invalid_client') return 'Basic realm="clients"'
  return code === 'invalid_token' && request.headers.authorization !== undefined ? 'Bearer error="invalid_token"' : 'Bearer'
}

type Fault = NonNullable<FastifyError['validation']>[number]

function toFieldError ({ keyword, instancePath, params, message }: Fault, context: string | undefined): FieldError {
  const name = params['additionalProperty'] ?? params['missingProperty']
  const pointer = (context === 'body' ? '' : `/${context}`) + instancePath + (typeof name === 'string' ? `/${name.slice(0, 64).replaceAll('~', '~0').replaceAll('/', '~1')}` : '')
  return { pointer, code: snakeCase(keyword), message: message ?? 'is not valid' }
}

const snakeCase = (word: string): string => word.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
