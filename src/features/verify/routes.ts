import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { VerifierContext } from '../../context.ts'
import type { AccessClaims } from '../../core/tokens/access-token.ts'
import { Audience, Epoch, problemResponses, Uuid } from '../../http/schemas.ts'
import { isRole } from '../../lib/role.ts'
import { typed } from '../../http/typed.ts'

const Claims = Type.Object({
  iss: Type.String(), sub: Uuid, client_id: Type.String(), jti: Type.String(), ver: Type.Integer(),
  aud: Audience,
  sid: Type.Optional(Uuid), auth_time: Type.Optional(Epoch), amr: Type.Optional(Type.Array(Type.String())), acr: Type.Optional(Type.String()),
  scope: Type.String(), roles: Type.Optional(Type.Array(Type.String())), iat: Epoch, exp: Epoch,
}, { additionalProperties: true, title: 'AccessClaims', description: 'The claims of the access token (RFC 9068), and those that an administrator gave the user. One without `sid` is a service\'s own, and has no claims of a sign-in.' })

// Forward-auth for gateways: answers from memory, no query, no socket. The headers only ever carry what a valid signature
// vouched for; a gateway must overwrite headers of these names that the client sent.
export async function verifyRoutes (instance: FastifyInstance, { ctx: { config: { tokenAudience } } }: { ctx: VerifierContext }): Promise<void> {
  typed(instance).get('/v1/auth/verify', {
    config: { auth: 'bearer', limit: 'verify' },
    schema: {
      operationId: 'verify',
      summary: 'Verify an access token',
      description: 'For gateways that ask (`auth_request`, `forward_auth`, `ext_authz`): 200 and what to pass on, or 401.',
      tags: ['Verification'],
      response: {
        200: {
          description: 'The token is good.',
          headers: {
            'X-Auth-Subject': Type.String({ description: 'User, or the client whose own token it is' }),
            'X-Auth-Session': Type.String({ description: 'Session; absent for a client\'s own token' }),
            'X-Auth-Scope': Type.String({ description: 'Scopes, separated by spaces' }),
            'X-Auth-Roles': Type.String({ description: 'Roles, separated by commas; empty for a client\'s own token' }),
          },
          content: { 'application/json': { schema: Claims } },
        },
        ...problemResponses('invalid_token', 'stale_revocations'),
      },
    },
  }, (request, reply) => {
    const { headers, body } = request.isKnown ? answerFor(request.user, tokenAudience) : answerOf(request.user, tokenAudience)
    // Text is sent as it is; the type asks for what the schema describes, which these claims are.
    reply.headers(headers).send(body as unknown as AccessClaims)
  })
}

type Answer = { headers: Record<string, string>, body: string }
/** From the second time on, and as long as the claims are remembered, so is what is said of them. */
const answers = new WeakMap<AccessClaims, Answer>()

function answerFor (claims: AccessClaims, aud: string): Answer {
  let answer = answers.get(claims)
  if (!answer) answers.set(claims, answer = answerOf(claims, aud))
  return answer
}

/** Of several audiences (we issue no such token) the one that it was accepted for is named. */
const answerOf = (claims: AccessClaims, aud: string): Answer => ({
  headers: {
    'content-type': 'application/json; charset=utf-8',
    'x-auth-subject': claims.sub,
    ...(claims.sid !== undefined && { 'x-auth-session': claims.sid }),
    'x-auth-scope': claims.scope,
    // In a header, what is no name of a role (written into the database by hand) could end it, or be two.
    'x-auth-roles': claims.roles?.filter(isRole).join(',') ?? '',
  },
  body: JSON.stringify(claims.aud === aud ? claims : { ...claims, aud }),
})
