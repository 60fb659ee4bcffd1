import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { Context } from '../../context.ts'
import { clientGone } from '../../http/client-gone.ts'
import { guesserOf } from '../../http/guesser.ts'
import { answerOnce, IdempotencyHeaders } from '../../http/idempotency.ts'
import { addressBucket } from '../../http/rate-limit.ts'
import { Email, NewPassword, OneOf, Password, problemResponses, Strict } from '../../http/schemas.ts'
import { clearSessionCookie, readSessionCookie } from '../../http/session-cookie.ts'
import { sourceOf } from '../../http/source.ts'
import { typed } from '../../http/typed.ts'
import { userAnswer } from '../../http/user-answer.ts'
import { changeProfile } from './change-profile.ts'
import { deleteAccount } from './delete-account.ts'
import { readOwnAccount } from './read-own-account.ts'
import { prepareAccount, register } from './register.ts'

/** Not a union: that would report the faults of its other branch too. */
const TextOrNull = (options: object) => Type.Unsafe<string | null>({ ...options, type: ['string', 'null'] })

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
      headers: IdempotencyHeaders,
      body: Strict({ email: Email, password: NewPassword, name: Type.Optional(Type.String({ minLength: 1, maxLength: 200, examples: ['Ada'] })) }),
      response: {
        201: Strict({ user: Type.Ref('User') }, { title: 'Registered', description: 'The account exists and can sign in (addresses need no confirmation here).' }),
        202: Strict({ status: OneOf(['check_email']) }, { title: 'CheckEmail', description: 'The same for an address that has an account already.' }),
        ...problemResponses('invalid_request', 'weak_password', 'email_taken', 'body_too_large', 'unsupported_media_type', 'request_in_progress', 'idempotency_key_reused', 'login_busy', 'database_unavailable'),
      },
    },
  }, async (request, reply) => {
    const application = await prepareAccount(ctx, request.body, { bucket: addressBucket(request), signal: clientGone(reply) })
    return await answerOnce(ctx, request, reply, { actor: 'public' }, async ctx => {
      const user = await register(ctx, application, sourceOf(request))
      return user === null ? { status: 202, body: { status: 'check_email' } } : { status: 201, body: { user: userAnswer(user) } }
    })
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

  app.patch('/v1/me', {
    config: { auth: 'bearer', scope: 'account', limit: 'account' },
    schema: {
      operationId: 'changeMe',
      summary: 'Change what the signed-in user says about themselves',
      description: 'What is left out stays; null removes. Of `profile` the same holds for each member, whose values are replaced as a whole; it has at most 4,096 bytes.',
      tags: ['Account'],
      body: Strict({
        name: Type.Optional(TextOrNull({ minLength: 1, maxLength: 200, examples: ['Ada'] })),
        locale: Type.Optional(TextOrNull({ maxLength: 64, description: 'BCP 47; the language of mail.', examples: ['en-GB'] })),
        profile: Type.Optional(Type.Unsafe<Record<string, unknown> | null>({ type: ['object', 'null'], additionalProperties: true, description: 'Anything the app wants to keep. In no token.', examples: [{ time_zone: 'Europe/London', newsletter: null }] })),
      }),
      response: {
        200: Type.Ref('User', { description: 'The user as they are now.' }),
        ...problemResponses('invalid_request', 'invalid_token', 'insufficient_scope', 'body_too_large', 'unsupported_media_type', 'database_unavailable'),
      },
    },
  }, async request => userAnswer(await changeProfile(ctx, request.user, request.body, sourceOf(request))))

  app.post('/v1/me/delete', {
    config: { auth: 'bearer', scope: 'account', limit: 'account', sameSiteOnly: true },
    schema: {
      operationId: 'deleteMe',
      summary: 'Delete the account of the signed-in user',
      description: 'For good. Every session ends; a last mail says so.',
      tags: ['Account'],
      body: Strict({ password: Password }),
      response: {
        204: Type.Null({ description: 'The account and its sessions are gone.' }),
        ...problemResponses('invalid_request', 'invalid_token', 'invalid_credentials', 'insufficient_scope', 'origin_not_allowed', 'body_too_large', 'unsupported_media_type', 'login_busy', 'database_unavailable'),
      },
    },
  }, async (request, reply) => {
    await deleteAccount(ctx, request.user, request.body, guesserOf(request, reply))
    if (readSessionCookie(request) !== undefined) clearSessionCookie(reply)
    return await reply.code(204).send(null)
  })
}
