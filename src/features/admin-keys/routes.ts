import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { Context } from '../../context.ts'
import { byAdmin } from '../../core/audit/events.ts'
import { ADMIN, adminOnly } from '../../http/admin-only.ts'
import { Instant, OneOf, problemResponses, Strict } from '../../http/schemas.ts'
import { sourceOf } from '../../http/source.ts'
import { typed } from '../../http/typed.ts'
import { listKeys, revokeAll, revokeKey, rotate } from './keys.ts'

const Kid = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$', examples: ['2f3jq0Jm1tJq8xJ5cU2v6mB0F7Z3c9yK1aQxN4rT8sE'] })
const Alg = OneOf(['ES256', 'RS256', 'HS256'], { title: 'KeyAlgorithm' })
const tags = ['Administration']

// What an administrator does with the signing keys. Whoever revokes may find that the own token has ended too.
export async function adminKeyRoutes (instance: FastifyInstance, { ctx }: { ctx: Context }): Promise<void> {
  const app = typed(instance)
  adminOnly(instance, ctx)

  app.get('/v1/admin/keys', {
    config: ADMIN,
    schema: {
      operationId: 'listKeys',
      summary: 'List the signing keys and what each does now, newest first',
      tags,
      response: {
        200: Strict({
          items: Type.Array(Strict({
            use: OneOf(['at', 'rt', 'ft'], { description: '`at`: access tokens, in the key set; `rt`: refresh tokens; `ft`: links and cursors.' }),
            kid: Kid,
            alg: Alg,
            rev: Type.Integer({ minimum: 0, description: '0: the first of its slot; more: rotated in, or in the place of a revoked one.' }),
            state: OneOf(['signing', 'waiting', 'next', 'verifying', 'past', 'revoked'], { description: '`waiting`: published, and signs once every cached key set has it. `next`: for the slot to come. `verifying`: signs no more, and what it signed may still be good.' }),
            slot_from: Instant,
            slot_until: Instant,
            created_at: Instant,
          }, { title: 'SigningKey' })),
        }, { title: 'SigningKeys', description: 'Public facts only.' }),
        ...problemResponses('invalid_token', 'insufficient_scope', 'database_unavailable'),
      },
    },
  }, async () => ({ items: await listKeys(ctx) }))

  app.post('/v1/admin/keys/rotate', {
    config: ADMIN,
    schema: {
      operationId: 'rotateKeys',
      summary: 'Put a new key in the place of the one that signs access tokens',
      description: 'Planned: the new key is published now and signs once no cached key set can lack it; the old one stays published. While a new key waits, asking again makes none and answers with that one.',
      tags,
      response: {
        200: Strict({ kid: Kid, alg: Alg, signs_from: Instant }, { title: 'RotatedKey', description: 'The new key.' }),
        ...problemResponses('invalid_token', 'insufficient_scope', 'database_unavailable'),
      },
    },
  }, async request => await rotate(ctx, byAdmin(request.user, sourceOf(request))))

  app.post('/v1/admin/keys/:kid/revoke', {
    config: ADMIN,
    schema: {
      operationId: 'revokeKey',
      summary: 'End a signing key that may have leaked, and everything it signed',
      tags,
      params: Strict({ kid: Kid }),
      response: {
        204: Type.Null({ description: 'What it signed is refused on every node within a second; another key signs. Revoked already: the same.' }),
        ...problemResponses('invalid_request', 'invalid_token', 'insufficient_scope', 'not_found', 'database_unavailable'),
      },
    },
  }, async (request, reply) => {
    await revokeKey(ctx, request.params.kid, byAdmin(request.user, sourceOf(request)))
    return await reply.code(204).send(null)
  })

  app.post('/v1/admin/revoke-all', {
    config: ADMIN,
    schema: {
      operationId: 'revokeAll',
      summary: 'End every session of everybody, also your own',
      description: 'For a breach: a handful of rows, however many sessions. Services ask for new tokens; their secrets stay.',
      tags,
      response: {
        204: Type.Null({ description: 'Every token from before this second is refused on every node within a second.' }),
        ...problemResponses('invalid_token', 'insufficient_scope', 'database_unavailable'),
      },
    },
  }, async (request, reply) => {
    await revokeAll(ctx, byAdmin(request.user, sourceOf(request)))
    return await reply.code(204).send(null)
  })
}
