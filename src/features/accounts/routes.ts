import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { Context } from '../../context.ts'
import { clientGone } from '../../http/client-gone.ts'
import { addressBucket } from '../../http/rate-limit.ts'
import { Email, OneOf, Password, problemResponses, Strict } from '../../http/schemas.ts'
import { typed } from '../../http/typed.ts'
import { userAnswer } from '../../http/user-answer.ts'
import { readOwnAccount } from './read-own-account.ts'
import { register } from './register.ts'

// Sign-up and the caller's own account. Where addresses must be confirmed, sign-up answers the same for an address that
// has an account and one that has none (OWASP: no user enumeration); nothing that a caller sends reaches a token.
export async function accountRoutes (instance: FastifyInstance, { ctx }: { ctx: Context }): Promise<void> {
  const app = typed(instance)

  app.post('/v1/auth/register', {
    config: { auth: 'none', limit: 'sign-up' },
    schema: {
      operationId: 'register',
      summary: 'Create an account',
      tags: ['Sign-in'],
      body: Strict({ email: Email, password: Password, name: Type.Optional(Type.String({ minLength: 1, maxLength: 200, examples: ['Ada'] })) }),
      response: {
        201: Strict({ user: Type.Ref('User') }, { description: 'The account exists and can sign in (addresses need no confirmation here).' }),
        202: Strict({ status: OneOf(['check_email']) }, { description: 'The same for an address that has an account already.' }),
        ...problemResponses('invalid_request', 'weak_password', 'email_taken', 'body_too_large', 'unsupported_media_type', 'login_busy', 'database_unavailable'),
      },
    },
  }, async (request, reply) => {
    const user = await register(ctx, request.body, { bucket: addressBucket(request), signal: clientGone(reply) })
    if (user === null) return await reply.code(202).send({ status: 'check_email' })
    return await reply.code(201).send({ user: userAnswer(user) })
  })

  app.get('/v1/me', {
    config: { auth: 'bearer', scope: 'account', limit: 'account' },
    schema: {
      operationId: 'getMe',
      summary: 'Read the signed-in user',
      tags: ['Account'],
      response: { 200: Type.Ref('User', { description: 'The user as the database has them now.' }), ...problemResponses('invalid_token', 'insufficient_scope', 'database_unavailable') },
    },
  }, async request => userAnswer(await readOwnAccount(ctx, request.user)))
}
