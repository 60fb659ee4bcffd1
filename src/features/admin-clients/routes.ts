import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { Context } from '../../context.ts'
import { byAdmin } from '../../core/audit/events.ts'
import { listClientsAfter } from '../../core/clients/store.ts'
import { pageOf, positionOf } from '../../core/lists/pages.ts'
import { ADMIN, adminOnly } from '../../http/admin-only.ts'
import { answerOnce, IdempotencyHeaders } from '../../http/idempotency.ts'
import { Instant, limitOf, Page, pageQuery, problemResponses, Strict, Uuid } from '../../http/schemas.ts'
import { sourceOf } from '../../http/source.ts'
import { typed } from '../../http/typed.ts'
import { clientAnswer, createClient, getClient, removeClient } from './clients.ts'

const Jwk = Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true, description: 'A public key (RFC 7517): P-256, or RSA of 2048 bits and more.' })
const Jwks = Strict({ keys: Type.Array(Jwk, { minItems: 1, maxItems: 16 }) }, { title: 'ClientKeys' })
const members = {
  id: Uuid,
  name: Type.String({ examples: ['billing'] }),
  scope: Type.String({ description: 'What its tokens may be for, separated by spaces.', examples: ['invoices:read introspect'] }),
  jwks: Type.Union([Jwks, Type.Null()], { description: 'The keys it signs assertions with; null: it has a secret.' }),
  created_at: Instant,
  deleted_at: Type.Union([Instant, Type.Null()]),
}
const params = Strict({ id: Uuid })
const tags = ['Administration']

// Services that call with a name of their own: registered, read and ended by an administrator.
export async function adminClientRoutes (instance: FastifyInstance, { ctx }: { ctx: Context }): Promise<void> {
  const app = typed(instance)
  adminOnly(instance, ctx)

  app.get('/v1/admin/clients', {
    config: ADMIN,
    schema: {
      operationId: 'listClients',
      summary: 'List the services that have a name here, newest first',
      description: 'Deleted ones too: a line in a log can still be told whose it was.',
      tags,
      querystring: Strict(pageQuery),
      response: { 200: Page('ServiceClientPage', Strict(members, { title: 'ServiceClient' })), ...problemResponses('invalid_request', 'invalid_cursor', 'invalid_token', 'insufficient_scope', 'database_unavailable') },
    },
  }, async request => {
    const list = { list: 'clients', sub: request.user.sub }
    const limit = limitOf(request.query)
    const rows = await listClientsAfter(ctx.db, { after: positionOf(ctx, list, request.query.cursor)?.[0], limit: limit + 1 })
    const { items, next } = pageOf(ctx, list, { rows, limit, position: ({ id }) => [id] })
    return { items: items.map(clientAnswer), next }
  })

  app.post('/v1/admin/clients', {
    config: ADMIN,
    schema: {
      operationId: 'createClient',
      summary: 'Register a service',
      description: 'With `jwks` it signs assertions with keys of its own; otherwise it gets a secret, which is shown in this answer and never again: not when the request is repeated with its `Idempotency-Key` either.',
      tags,
      headers: IdempotencyHeaders,
      body: Strict({
        name: Type.String({ minLength: 1, maxLength: 200, examples: ['billing'] }),
        scope: Type.Optional(Type.String({ maxLength: 4_224, description: 'Separated by single spaces.', examples: ['invoices:read introspect'] })),
        jwks: Type.Optional(Jwks),
      }),
      response: {
        201: Strict({ ...members, client_secret: Type.Union([Type.String(), Type.Null()], { description: 'Null: it signs with its own keys, or this answer is a repeated one. Who has lost the secret deletes the client and makes another.' }) }, { title: 'CreatedServiceClient', description: 'It is known on every node at its first request.' }),
        ...problemResponses('invalid_request', 'invalid_token', 'insufficient_scope', 'request_in_progress', 'idempotency_key_reused', 'database_unavailable'),
      },
    },
  }, async (request, reply) => {
    const { name, scope = '', jwks } = request.body
    let secret: string | null = null
    return await answerOnce(ctx, request, reply, { actor: request.user.sub, unkept: () => ({ client_secret: secret }) }, async ctx =>
      await createClient(ctx, { name, scope, jwks: jwks && JSON.stringify(jwks) }, byAdmin(request.user, sourceOf(request)), its => { secret = its }))
  })

  app.get('/v1/admin/clients/:id', {
    config: ADMIN,
    schema: {
      operationId: 'getClient',
      summary: 'Read a service',
      tags,
      params,
      response: { 200: Strict(members, { title: 'ServiceClient', description: 'The client, without anything secret.' }), ...problemResponses('invalid_request', 'invalid_token', 'insufficient_scope', 'not_found', 'database_unavailable') },
    },
  }, async request => clientAnswer(await getClient(ctx, request.params.id)))

  app.delete('/v1/admin/clients/:id', {
    config: ADMIN,
    schema: {
      operationId: 'deleteClient',
      summary: 'End a service: its credentials and the tokens it holds',
      tags,
      params,
      response: { 204: Type.Null({ description: 'Refused on every node within a second. Deleted already: the same.' }), ...problemResponses('invalid_request', 'invalid_token', 'insufficient_scope', 'not_found', 'database_unavailable') },
    },
  }, async (request, reply) => {
    await removeClient(ctx, request.params.id, byAdmin(request.user, sourceOf(request)))
    return await reply.code(204).send(null)
  })
}
