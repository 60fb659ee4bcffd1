import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { Context } from '../../context.ts'
import { guesserOf } from '../../http/guesser.ts'
import { ActionToken, Email, Empty, Password, problemResponses, Strict } from '../../http/schemas.ts'
import { sourceOf } from '../../http/source.ts'
import { typed } from '../../http/typed.ts'
import { confirmEmailChange } from './confirm.ts'
import { requestEmailChange } from './request.ts'

// Another address for an account: the password is proved again, the new address confirms, the old one is told (OWASP ASVS 7.5.1, 6.3.7).
// Neither answer tells whether the new address belongs to somebody.
export async function emailChangeRoutes (instance: FastifyInstance, { ctx }: { ctx: Context }): Promise<void> {
  const app = typed(instance)

  app.post('/v1/me/email', {
    config: { auth: 'bearer', scope: 'account', limit: 'mail' },
    schema: {
      operationId: 'requestEmailChange',
      summary: 'Ask for another e-mail address',
      tags: ['Account'],
      body: Strict({ new_email: Email, password: Password }, { title: 'EmailChangeRequest' }),
      response: {
        202: Empty('The same for every new address. A link goes to it, a notice to the present one; nothing has changed yet.'),
        ...problemResponses('invalid_request', 'invalid_token', 'invalid_credentials', 'insufficient_scope', 'body_too_large', 'unsupported_media_type', 'login_busy', 'database_unavailable'),
      },
    },
  }, async (request, reply) => {
    await requestEmailChange(ctx, request.user, request.body, guesserOf(request, reply))
    return await reply.code(202).send(undefined)
  })

  app.post('/v1/email-change/confirm', {
    config: { auth: 'none', limit: 'account' },
    schema: {
      operationId: 'confirmEmailChange',
      summary: 'Change the address with the token of the link',
      description: 'Ends every session of the account, and every link that was mailed before.',
      tags: ['Account'],
      body: Strict({ token: ActionToken }),
      response: {
        204: Type.Null({ description: 'The account has the new address, and it is confirmed.' }),
        ...problemResponses('invalid_request', 'invalid_action_token', 'token_used', 'body_too_large', 'unsupported_media_type', 'database_unavailable'),
      },
    },
  }, async (request, reply) => {
    await confirmEmailChange(ctx, request.body, sourceOf(request))
    return await reply.code(204).send(null)
  })
}
