import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { Context } from '../../context.ts'
import { clientGone } from '../../http/client-gone.ts'
import { setDeviceCookie } from '../../http/device-cookie.ts'
import { addressBucket } from '../../http/rate-limit.ts'
import { ActionToken, Email, Empty, NewPassword, problemResponses, Strict } from '../../http/schemas.ts'
import { sourceOf } from '../../http/source.ts'
import { typed } from '../../http/typed.ts'
import { confirmReset } from './confirm.ts'
import { requestReset } from './request.ts'

// A forgotten password. Asking for the link answers the same for every address, at the same cost; the link works once (compare-and-swap on the
// password, the epoch and the address), only by POST, and signs nobody in (OWASP ASVS 6.4.3).
export async function passwordResetRoutes (instance: FastifyInstance, { ctx }: { ctx: Context }): Promise<void> {
  const app = typed(instance)

  app.post('/v1/password-reset', {
    config: { auth: 'none', limit: 'mail' },
    schema: {
      operationId: 'requestPasswordReset',
      summary: 'Send a link to set a new password',
      tags: ['Account'],
      body: Strict({ email: Email }, { title: 'PasswordResetRequest' }),
      response: {
        202: Empty('The same for every address. A mail goes out where there is an active account.'),
        ...problemResponses('invalid_request', 'body_too_large', 'unsupported_media_type', 'database_unavailable'),
      },
    },
  }, async (request, reply) => {
    await requestReset(ctx, request.body, sourceOf(request))
    return await reply.code(202).send(undefined)
  })

  app.post('/v1/password-reset/confirm', {
    config: { auth: 'none', limit: 'account', sameSiteOnly: true },
    schema: {
      operationId: 'confirmPasswordReset',
      summary: 'Set a new password with the token of the link',
      description: 'Ends every session of the account and confirms its address. It does not sign in.',
      tags: ['Account'],
      body: Strict({ token: ActionToken, new_password: NewPassword }),
      response: {
        204: Type.Null({ description: 'The password is set.' }),
        ...problemResponses('invalid_request', 'weak_password', 'invalid_action_token', 'token_used', 'origin_not_allowed', 'body_too_large', 'unsupported_media_type', 'login_busy', 'database_unavailable'),
      },
    },
  }, async (request, reply) => {
    const device = await confirmReset(ctx, request.body, { waiter: { bucket: addressBucket(request), signal: clientGone(reply) }, source: sourceOf(request) })
    setDeviceCookie(reply, device)
    return await reply.code(204).send(null)
  })
}
