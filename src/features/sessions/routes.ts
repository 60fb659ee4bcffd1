import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Context } from '../../context.ts'
import { AppError } from '../../errors.ts'
import { isBrowser } from '../../http/browser.ts'
import { problemResponses, RefreshToken, Strict } from '../../http/schemas.ts'
import { clearSessionCookie, readSessionCookie } from '../../http/session-cookie.ts'
import { sourceOf } from '../../http/source.ts'
import { tokensAnswer, type Delivery } from '../../http/tokens-answer.ts'
import { typed } from '../../http/typed.ts'
import { logout, type Presented } from './logout.ts'
import { logoutAll } from './logout-all.ts'
import { refresh } from './refresh.ts'

type RefreshBody = { refresh_token?: string } | null | undefined
/** Not a union: that would report the faults of its other branch too. */
const Body = Type.Unsafe<RefreshBody>({ ...Strict({ refresh_token: Type.Optional(RefreshToken) }), type: ['object', 'null'] })

// Refresh and logout. Only session_ended ends a session and clears the cookie; a database that is away never does
// (RFC 9700 §4.14, FAPI 2.0: a retry with the previous refresh token succeeds).
export async function sessionRoutes (instance: FastifyInstance, { ctx }: { ctx: Context }): Promise<void> {
  const app = typed(instance)

  app.post('/v1/auth/refresh', {
    config: { auth: 'refresh_token', limit: 'session', sameSiteOnly: true, attempt: 'refreshes' },
    schema: {
      operationId: 'refresh',
      summary: 'Exchange the refresh token for the next pair',
      description: 'Repeated or parallel calls with one token get the same successor, from any node. A token in the body goes before the cookie.',
      tags: ['Sign-in'],
      body: Body,
      response: {
        200: Type.Ref('Tokens', { description: 'The next pair.' }),
        ...problemResponses('invalid_request', 'no_session', 'session_ended', 'origin_not_allowed', 'body_too_large', 'unsupported_media_type', 'database_unavailable'),
      },
    },
  }, async (request, reply) => {
    const presented = presentedRefreshToken(request, request.body)
    if (!presented) throw new AppError('no_session')
    try {
      const tokens = await refresh(ctx, presented.token, { shared: presented.delivery === 'cookie' && isBrowser(request), source: sourceOf(request) })
      return tokensAnswer(reply, tokens, presented.delivery)
    } catch (error) {
      if (presented.delivery === 'cookie' && error instanceof AppError && error.code === 'session_ended') clearSessionCookie(reply)
      throw error
    }
  })

  app.post('/v1/auth/logout', {
    config: { auth: 'refresh_token', limit: 'session', sameSiteOnly: true },
    schema: {
      operationId: 'logout',
      summary: 'End this session',
      description: 'By cookie, by `refresh_token` or by bearer token. Repeating it, or calling it without a session, is the same 204.',
      tags: ['Sign-in'],
      body: Body,
      response: {
        204: Type.Null({ description: 'The session has ended.' }),
        ...problemResponses('invalid_request', 'origin_not_allowed', 'body_too_large', 'unsupported_media_type', 'database_unavailable'),
      },
    },
  }, async (request, reply) => {
    // Before anything can fail: whatever becomes of the ending, this browser forgets the token.
    if (readSessionCookie(request) !== undefined) clearSessionCookie(reply)
    await logout(ctx, await presentedSession(instance, request, request.body), sourceOf(request))
    return await reply.code(204).send(null)
  })

  app.post('/v1/auth/logout-all', {
    config: { auth: 'bearer', scope: 'account', limit: 'session', sameSiteOnly: true },
    schema: {
      operationId: 'logoutAll',
      summary: 'End every session of the signed-in user',
      tags: ['Sign-in'],
      response: {
        204: Type.Null({ description: 'Every session has ended, this one too.' }),
        ...problemResponses('invalid_token', 'insufficient_scope', 'origin_not_allowed', 'database_unavailable'),
      },
    },
  }, async (request, reply) => {
    if (readSessionCookie(request) !== undefined) clearSessionCookie(reply)
    await logoutAll(ctx, request.user, sourceOf(request))
    return await reply.code(204).send(null)
  })
}

function presentedRefreshToken (request: FastifyRequest, body: RefreshBody): { token: string, delivery: Delivery } | null {
  const inBody = body?.refresh_token
  if (inBody !== undefined) return { token: inBody, delivery: 'body' }
  const inCookie = readSessionCookie(request)
  return inCookie ? { token: inCookie, delivery: 'cookie' } : null
}

async function presentedSession (app: FastifyInstance, request: FastifyRequest, body: RefreshBody): Promise<Presented> {
  const refreshToken = presentedRefreshToken(request, body)?.token
  if (refreshToken !== undefined) return { refreshToken }
  if (request.headers.authorization === undefined) return {}
  try {
    await app.verifyBearer(request)
    const { sid, sub } = request.user
    return sid === undefined ? {} : { session: { sid, sub } }
  } catch (error) {
    // A token that has ended or expired has no session left to end: repeating a logout is the same 204.
    if (error instanceof AppError && error.code === 'invalid_token') return {}
    throw error
  }
}
