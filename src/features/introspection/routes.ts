import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { AccessClaims } from '../../core/tokens/access-token.ts'
import { AppError } from '../../errors.ts'
import { credentialMembers, requireClientOrBearer, type ClientAuthDeps } from '../../http/client-auth.ts'
import { Audience, Epoch, oauthResponses, TokenType, Uuid } from '../../http/schemas.ts'
import { typed } from '../../http/typed.ts'
import { introspectionOf } from './introspection.ts'

const when = (description: string) => ({ description })
const Introspection = Type.Object({
  active: Type.Boolean(),
  scope: Type.Optional(Type.String()), client_id: Type.Optional(Type.String()), token_type: Type.Optional(TokenType),
  sub: Type.Optional(Uuid), exp: Type.Optional(Epoch), iat: Type.Optional(Epoch),
  aud: Type.Optional(Audience), iss: Type.Optional(Type.String()), jti: Type.Optional(Type.String()),
  ver: Type.Optional(Type.Integer()), sid: Type.Optional(Type.String(when('Absent for a service’s own token, as are the members after it.'))),
  roles: Type.Optional(Type.Array(Type.String())), amr: Type.Optional(Type.Array(Type.String())), auth_time: Type.Optional(Epoch), acr: Type.Optional(Type.String()),
}, { additionalProperties: true, title: 'Introspection', description: 'What the token says, claims that an administrator gave the user among it. `{"active":false}` for anything but a living access token: a refresh token, one that ended or expired, any other text.' })

// RFC 7662, from memory: no query, whatever is asked. It needs no database, and registers without one; then nobody is a client, and
// a bearer with the scope `introspect` is the only caller.
export async function introspectionRoutes (instance: FastifyInstance, { ctx }: { ctx: ClientAuthDeps }): Promise<void> {
  typed(instance).post('/oauth2/introspect', {
    config: { auth: 'client_or_bearer', limit: 'verify' },
    schema: {
      operationId: 'introspect',
      summary: 'Is this access token good, and what does it say?',
      description: 'For services that cannot verify tokens themselves. The caller is a client, or a bearer whose token has the scope `introspect`.',
      tags: ['Services'],
      consumes: ['application/x-www-form-urlencoded'],
      body: Type.Object({
        token: Type.String({ examples: ['eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6Ij…'] }),
        token_type_hint: Type.Optional(Type.String({ description: 'Accepted, and not needed.', examples: ['access_token'] })),
        ...credentialMembers,
      }),
      response: {
        200: Introspection,
        ...oauthResponses('invalid_request', 'invalid_client', 'invalid_token', 'insufficient_scope', 'body_too_large', 'unsupported_media_type', 'database_unavailable', 'stale_revocations'),
      },
    },
  }, async request => {
    await requireClientOrBearer(instance, ctx, request, request.body)
    return introspectionOf(await livingToken(instance, request, request.body.token))
  })
}

async function livingToken (app: FastifyInstance, request: FastifyRequest, token: string): Promise<AccessClaims | null> {
  try { return await app.verifyAccessToken(request, token) } catch (error) {
    // A key that could not be looked up makes it no better than unknown, as when it is used.
    if (error instanceof AppError && (error.code === 'invalid_token' || error.code === 'database_unavailable')) return null
    throw error
  }
}
