import type { FastifyReply } from 'fastify'
import { AppError } from '../errors.ts'

/**
 * Fires when the client hangs up before it has its answer. `request.signal` of Fastify does not tell that: it fires as
 * soon as the body has been read. Nobody reads the reason; it keeps a hang-up from being logged as a fault of ours.
 */
export function clientGone (reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort(new AppError('malformed_request', { detail: 'The client hung up.' }))
  })
  return gone.signal
}
