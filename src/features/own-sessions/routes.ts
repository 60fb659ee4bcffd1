import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { Context } from '../../context.ts'
import { Page, problemResponses, Strict, Uuid } from '../../http/schemas.ts'
import { sourceOf } from '../../http/source.ts'
import { typed } from '../../http/typed.ts'
import { endOwnSession } from './end.ts'
import { listOwnSessions } from './list.ts'

const PAGE = 50

const OwnSession = Strict({
  sid: Uuid,
  started_at: Type.String({ format: 'date-time', examples: ['2026-11-24T10:00:00.000Z'] }),
  expires_at: Type.String({ format: 'date-time', description: 'Whatever happens; earlier when it is not refreshed.', examples: ['2027-02-22T10:00:00.000Z'] }),
  address_prefix: Type.Union([Type.String(), Type.Null()], { description: 'IPv4 /24 or IPv6 /48.', examples: ['192.0.2.0/24'] }),
  user_agent: Type.Union([Type.String(), Type.Null()]),
  current: Type.Boolean({ description: 'The session of this request.' }),
}, { title: 'OwnSession' })

// "Your devices" (OWASP ASVS 7.5.2), from the audit trail: there is no row for a session. The trail says who began one; that it authorises
// its owner to end it is the only thing that is ever decided by it.
export async function ownSessionRoutes (instance: FastifyInstance, { ctx }: { ctx: Context }): Promise<void> {
  const app = typed(instance)

  app.get('/v1/me/sessions', {
    config: { auth: 'bearer', scope: 'account', limit: 'account' },
    schema: {
      operationId: 'listMySessions',
      summary: 'List the sign-ins that are not known to have ended',
      description: 'Newest first.',
      tags: ['Account'],
      querystring: Strict({
        cursor: Type.Optional(Type.String({ maxLength: 512, description: '`next` of the page before.' })),
        limit: Type.Optional(Type.String({ pattern: '^([1-9][0-9]?|100)$', description: `At most 100; ${PAGE} when absent.`, examples: ['50'] })),
      }),
      response: {
        200: Page('OwnSessionPage', OwnSession),
        ...problemResponses('invalid_request', 'invalid_cursor', 'invalid_token', 'insufficient_scope', 'database_unavailable'),
      },
    },
  }, async request => {
    const { cursor, limit } = request.query
    const { items, next } = await listOwnSessions(ctx, request.user, { cursor, limit: Number(limit ?? PAGE) })
    return {
      items: items.map(({ sid, startedAt, expiresAt, addressPrefix, userAgent }) => ({
        sid, started_at: startedAt.toISOString(), expires_at: expiresAt.toISOString(), address_prefix: addressPrefix, user_agent: userAgent, current: sid === request.user.sid,
      })),
      next,
    }
  })

  app.delete('/v1/me/sessions/:sid', {
    config: { auth: 'bearer', scope: 'account', limit: 'account' },
    schema: {
      operationId: 'endMySession',
      summary: 'End one session of the signed-in user',
      description: 'Also the one of this request. Repeating it is the same 204.',
      tags: ['Account'],
      params: Strict({ sid: Type.String({ examples: ['01930f4e-8a3b-7c2d-9e1f-0a1b2c3d4e5f'] }) }),
      response: {
        204: Type.Null({ description: 'It has ended.' }),
        ...problemResponses('invalid_token', 'insufficient_scope', 'not_found', 'database_unavailable'),
      },
    },
  }, async (request, reply) => {
    await endOwnSession(ctx, request.user, request.params.sid, sourceOf(request))
    return await reply.code(204).send(null)
  })
}
