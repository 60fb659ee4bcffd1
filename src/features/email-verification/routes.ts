import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { Context } from '../../context.ts'
import { ActionToken, Email, Empty, problemResponses, Strict } from '../../http/schemas.ts'
import { sourceOf } from '../../http/source.ts'
import { typed } from '../../http/typed.ts'
import { confirmVerification } from './confirm.ts'
import { requestVerification } from './request.ts'

// Confirming the address of an account. Asking for the mail answers the same for every address; only a POST confirms, because scanners
// of mail follow links (OWASP ASVS 6.3.8).
export async function emailVerificationRoutes (instance: FastifyInstance, { ctx }: { ctx: Context }): Promise<void> {
  const app = typed(instance)

  app.post('/v1/email-verification', {
    config: { auth: 'none', limit: 'mail' },
    schema: {
      operationId: 'requestEmailVerification',
      summary: 'Send the mail that confirms an address again',
      tags: ['Account'],
      body: Strict({ email: Email }, { title: 'EmailVerificationRequest' }),
      response: {
        202: Empty('The same for every address. A mail goes out where an account waits for it.'),
        ...problemResponses('invalid_request', 'body_too_large', 'unsupported_media_type', 'database_unavailable'),
      },
    },
  }, async (request, reply) => {
    await requestVerification(ctx, request.body)
    return await reply.code(202).send(undefined)
  })

  app.post('/v1/email-verification/confirm', {
    config: { auth: 'none', limit: 'account' },
    schema: {
      operationId: 'confirmEmailVerification',
      summary: 'Confirm an address with the token of the link',
      tags: ['Account'],
      body: Strict({ token: ActionToken }),
      response: {
        204: Type.Null({ description: 'The address is confirmed, by this request or by one before.' }),
        ...problemResponses('invalid_request', 'invalid_action_token', 'body_too_large', 'unsupported_media_type', 'database_unavailable'),
      },
    },
  }, async (request, reply) => {
    await confirmVerification(ctx, request.body, sourceOf(request))
    return await reply.code(204).send(null)
  })
}
