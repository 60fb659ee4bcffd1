import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Context } from '../../context.ts'
import { readRefreshToken } from '../../core/tokens/refresh-token.ts'
import { AppError } from '../../errors.ts'
import { authenticateClient, credentialMembers, requireClient, TOKEN_PATH } from '../../http/client-auth.ts'
import { sourceOf } from '../../http/source.ts'
import { oauthResponses, Strict, TokenType } from '../../http/schemas.ts'
import { typed } from '../../http/typed.ts'
import { grantClientCredentials } from './client-credentials.ts'
import { revoke, type Living } from './revoke.ts'

/** Unknown parameters are ignored (RFC 6749 §3.2). */
const form = <P extends Parameters<typeof Type.Object>[0]>(properties: P) => Type.Object({ ...properties, ...credentialMembers })

// Tokens for services (RFC 6749 §4.4) and their ending (RFC 7009). A client's token is never taken for a user's: it has no session,
// and no scope that a user's routes ask for.
export async function oauthRoutes (instance: FastifyInstance, { ctx }: { ctx: Context }): Promise<void> {
  const app = typed(instance)

  app.post(TOKEN_PATH, {
    config: { auth: 'client', limit: 'session' },
    schema: {
      operationId: 'token',
      summary: 'A token for a service itself',
      description: 'For calls from service to service: no user, no refresh token; ask again when it expires.',
      tags: ['Services'],
      consumes: ['application/x-www-form-urlencoded'],
      body: form({
        grant_type: Type.String({ examples: ['client_credentials'] }),
        scope: Type.Optional(Type.String({ description: 'Of the client’s scopes; all of them when absent.', examples: ['invoices:read'] })),
      }),
      response: {
        200: Strict({
          access_token: Type.String({ description: 'JWT (RFC 9068)', examples: ['eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6Ij…'] }),
          token_type: TokenType,
          expires_in: Type.Integer({ minimum: 0, description: 'Seconds.' }),
          scope: Type.String({ description: 'Separated by spaces.' }),
        }, { title: 'ServiceToken', description: 'The token.' }),
        ...oauthResponses('invalid_request', 'unsupported_grant_type', 'invalid_scope', 'invalid_client', 'body_too_large', 'unsupported_media_type', 'database_unavailable'),
      },
    },
  }, async request => {
    const { grant_type: grantType, scope: asked } = request.body
    const client = await requireClient(ctx, request, request.body)
    if (grantType !== 'client_credentials') throw new AppError('unsupported_grant_type')
    const { token, expiresIn, scope } = await grantClientCredentials(ctx, client, asked)
    app.tally.tokenBytes.observe(token.length)
    return { access_token: token, token_type: 'Bearer' as const, expires_in: expiresIn, scope }
  })
  app.post('/oauth2/revoke', {
    config: { auth: 'token_holder', limit: 'session' },
    schema: {
      operationId: 'revoke',
      summary: 'End a token, and the session it is of',
      description: 'For whoever holds the token; a client that authenticates can end its own tokens only. An access or refresh token of a user ends the whole session. A token that is unknown, or has ended already, is the same 200.',
      tags: ['Services'],
      consumes: ['application/x-www-form-urlencoded'],
      body: form({
        token: Type.String({ examples: ['eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6Ij…'] }),
        token_type_hint: Type.Optional(Type.String({ description: 'Accepted, and not needed: a token says what it is.', examples: ['refresh_token'] })),
      }),
      response: {
        200: Type.Null({ description: 'There is no such token any more.' }),
        ...oauthResponses('invalid_request', 'unauthorized_client', 'invalid_client', 'body_too_large', 'unsupported_media_type', 'database_unavailable'),
      },
    },
  }, async (request, reply) => {
    const client = await authenticateClient(ctx, request, request.body)
    const token = await livingToken(request, request.body.token)
    if (token) await revoke(ctx, token, client, sourceOf(request))
    return await reply.send(undefined as never) // null would go out as four letters
  })

  /** @throws database_unavailable when its key is unknown and could not be looked up: it may well live */
  async function livingToken (request: FastifyRequest, token: string): Promise<Living | null> {
    const refresh = await readRefreshToken(ctx, token)
    if (refresh) return { ...refresh, jti: '' }
    try { return await instance.verifyAccessToken(request, token) } catch (error) {
      if (error instanceof AppError && error.code === 'invalid_token') return null
      throw error
    }
  }
}
