import type { FastifyReply } from 'fastify'

/**
 * Fires when the caller hangs up before the answer is out. Fastify's `request.signal` follows the request's stream,
 * which closes as soon as the body has been read: whoever then waited for a password hash was refused with a 500.
 */
export function hangUpSignal ({ raw }: FastifyReply): AbortSignal {
  const controller = new AbortController()
  raw.once('close', () => { if (!raw.writableFinished) controller.abort() })
  return controller.signal
}
