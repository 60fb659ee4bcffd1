import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { Context } from '../../context.ts'
import { setDeviceCookie } from '../../http/device-cookie.ts'
import { guesserOf } from '../../http/guesser.ts'
import { Email, OneOf, Password, problemResponses, Strict } from '../../http/schemas.ts'
import { tokensAnswer } from '../../http/tokens-answer.ts'
import { typed } from '../../http/typed.ts'
import { userAnswer } from '../../http/user-answer.ts'
import { signIn } from './sign-in.ts'

// Sign-in with a password. Wrong password, unknown address, disabled account and one without a password are one answer,
// in one time (OWASP ASVS 6.3.8). The tokens are the session: what is written is a line of the audit trail. A foreign page cannot sign its visitor in.
export async function passwordRoutes (instance: FastifyInstance, { ctx }: { ctx: Context }): Promise<void> {
  typed(instance).post('/v1/auth/login', {
    config: { auth: 'none', limit: 'sign-in', sameSiteOnly: true },
    schema: {
      operationId: 'login',
      summary: 'Sign in with a password',
      tags: ['Sign-in'],
      body: Strict({
        email: Email,
        password: Password,
        refresh: Type.Optional(OneOf(['cookie', 'body'], { default: 'cookie', description: 'Where the refresh token goes: an HttpOnly cookie for pages, the body for native apps.' })),
        remember: Type.Optional(Type.Boolean({ default: true, description: 'false: the browser forgets the cookie when it closes.' })),
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
}
