import type { FastifyReply, FastifyRequest } from 'fastify'
import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { AppError, errorCodes, type ErrorCode } from '../errors.ts'
import { isOauthPath, sendOauthError } from './oauth-problem.ts'
import { PROBLEM_TYPE, problemBody, sendProblem, toAppError } from './problem.ts'

// What no route and no hook sees still gets the same form of error, and the headers that keep it inert.

const inert = (requestId: string) => ({
  'cache-control': 'no-store', 'content-security-policy': "default-src 'none';frame-ancestors 'none'", 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'x-request-id': requestId,
})

/** A URL that the router cannot take apart: hooks do not run for it. */
export function refuseUrl (error: Error, request: unknown, reply: unknown): void {
  const { id, url } = request as FastifyRequest
  const send = isOauthPath(url) ? sendOauthError : sendProblem
  send(request as FastifyRequest, (reply as FastifyReply).headers(inert(id)), toAppError(error as never))
}

const codes: Record<string, ErrorCode> = { HPE_HEADER_OVERFLOW: 'headers_too_large', ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout' }

/** Bytes that are no HTTP request, that come too slowly, or that do not fit: the parser gives up, and the connection ends. */
export function refuseBytes (error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) { socket.destroy(); return }
  const code = codes[error.code ?? ''] ?? 'malformed_request'
  const { status } = errorCodes[code]
  const id = randomUUID()
  const body = JSON.stringify(problemBody(new AppError(code), id))
  const headers = { ...inert(id), 'content-type': PROBLEM_TYPE, 'content-length': Buffer.byteLength(body), connection: 'close' }
  socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`)
  socket.destroySoon()
}
