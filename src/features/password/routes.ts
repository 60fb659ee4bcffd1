import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { Context } from '../../context.ts'
import { readRefreshToken } from '../../core/tokens/refresh-token.ts'
import { setDeviceCookie } from '../../http/device-cookie.ts'
import { guesserOf } from '../../http/guesser.ts'
import { Email, NewPassword, Password, problemResponses, RefreshDelivery, Strict } from '../../http/schemas.ts'
import { readSessionCookie } from '../../http/session-cookie.ts'
import { tokensAnswer } from '../../http/tokens-answer.ts'
import { typed } from '../../http/typed.ts'
import { userAnswer } from '../../http/user-answer.ts'
import { changePassword } from './change-password.ts'
import { signIn } from './sign-in.ts'

// Sign-in with a password. Wrong password, unknown address, disabled account and one without a password are one answer,
// in one time (OWASP ASVS 6.3.8). The tokens are the session: what is written is a line of the audit trail. A foreign page cannot sign its visitor in.
// Changing it needs the present one, and ends every session (ASVS 6.2.3, 7.4.3).
export async function passwordRoutes (instance: FastifyInstance, { ctx }: { ctx: Context }): Promise<void> {
  const app = typed(instance)

  app.post('/v1/auth/login', {
    config: { auth: 'none', limit: 'sign-in', sameSiteOnly: true, attempt: 'sign_ins' },
    schema: {
      operationId: 'login',
      summary: 'Sign in with a password',
      tags: ['Sign-in'],
      body: Strict({
        email: Email,
        password: Password,
        refresh: RefreshDelivery,
        remember: Type.Optional(Type.Boolean({ description: 'false: the browser forgets the cookie when it closes. true when absent.' })),
        scope: Type.Optional(Type.String({ pattern: '^(account|admin)( (account|admin))?$', description: '`admin` is granted only to users with that role.', examples: ['account'] })),
      }),
      response: {
        200: Type.Ref('SignedIn', { description: 'Signed in.' }),
        ...problemResponses('invalid_request', 'invalid_credentials', 'email_not_verified', 'origin_not_allowed', 'body_too_large', 'unsupported_media_type', 'login_busy', 'database_unavailable'),
      },
    },
  }, async (request, reply) => {
    const { refresh = 'cookie', remember = true } = request.body
    const { user, tokens, device } = await signIn(ctx, request.body, guesserOf(request, reply))
    const answer = { ...tokensAnswer(reply, tokens, refresh), user: userAnswer(user) }
    setDeviceCookie(reply, device, { keep: remember })
    return answer
  })

  app.post('/v1/me/password', {
    config: { auth: 'bearer', scope: 'account', limit: 'account', sameSiteOnly: true },
    schema: {
      operationId: 'changePassword',
      summary: 'Change the password',
      description: 'Ends every session of the user, this one too, and answers with the tokens of a new one. The user is told by mail.',
      tags: ['Account'],
      body: Strict({ current_password: Password, new_password: NewPassword, refresh: RefreshDelivery }),
      response: {
        200: Type.Ref('Tokens', { description: 'The tokens of the new session.' }),
        ...problemResponses('invalid_request', 'weak_password', 'invalid_token', 'invalid_credentials', 'insufficient_scope', 'origin_not_allowed', 'body_too_large', 'unsupported_media_type', 'login_busy', 'database_unavailable'),
      },
    },
  }, async (request, reply) => {
    // A browser that was to forget the cookie on closing is to forget the new one too.
    const cookie = readSessionCookie(request)
    const remember = cookie === undefined || (await readRefreshToken(ctx, cookie))?.persist !== false
    const { tokens, device } = await changePassword(ctx, request.user, request.body, { ...guesserOf(request, reply), remember })
    const answer = tokensAnswer(reply, tokens, request.body.refresh ?? 'cookie')
    setDeviceCookie(reply, device, { keep: remember })
    return answer
  })
}
