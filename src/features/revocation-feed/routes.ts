import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { VerifierContext } from '../../context.ts'
import { requireClientOrBearer, type ClientAuthDeps } from '../../http/client-auth.ts'
import { clientGone } from '../../http/client-gone.ts'
import { addressBucket } from '../../http/rate-limit.ts'
import { Double, OneOf, problemResponses, Strict, Uuid } from '../../http/schemas.ts'
import type { Tally } from '../../http/tally.ts'
import { typed } from '../../http/typed.ts'
import { isUnchanged } from '../../http/unchanged.ts'
import { readDelta, readSnapshot } from './read.ts'
import { Subscribers } from './subscribers.ts'

const CURSOR = '^[0-9a-f-]{36}\\.\\d{1,19}\\.[0-9a-f]{16}$'
const Document = Strict({
  v: Type.Unsafe<1>({ type: 'integer', enum: [1] }),
  feed: Uuid,
  cursor: Type.String({ pattern: CURSOR, description: 'Send it back as `since`, to any node.' }),
  as_of: Double({ description: 'Database time of what this says: `now - as_of` is how stale it is.' }),
  ttl: Type.Integer({ description: 'The longest that an entry lives, in seconds; revoked keys (k) stay for a day.' }),
  full: Type.Boolean({ description: 'true: forget what you have, this is everything.' }),
  e: Type.Array(Type.Array(Type.Union([Type.String(), Double()]), { minItems: 3, maxItems: 5 }), {
    description: '`[kind, id, expires_at, val?]`: s session, u user (refuse `ver` < val), j token, k key, a everything (refuse `iat` < val). id: base64url of the first 12 bytes of SHA-256(kind ":" value). With `xid=true`: `[kind, id, expires_at, val, xid]`.',
  }),
}, { title: 'RevocationFeed', description: 'A set of endings: applying an entry twice changes nothing' })

/** What a feed that is not public answers besides. */
const GUARD = ['invalid_client', 'invalid_token', 'insufficient_scope', 'database_unavailable'] as const
const ACCESS = 'Open to everybody, unless `FEED_ACCESS=client`: then for clients (Basic) and bearers with the scope `introspect`.'

// The feed of endings, from memory: no query for any number of readers. A cursor is valid on every node, so a reader may
// come back anywhere. An entry names a digest: only who knows a session or user already can see that it ended.
export async function revocationFeedRoutes (instance: FastifyInstance, { ctx, leaving, tally }: { ctx: VerifierContext & ClientAuthDeps, leaving: AbortSignal, tally: Tally }): Promise<void> {
  const app = typed(instance)
  const subscribers = new Subscribers(ctx, leaving)
  tally.openStreams = () => subscribers.size
  const closed = ctx.config.feedAccess === 'client'
  const access = closed
    ? { config: { auth: 'client_or_bearer', limit: 'open' } as const, preValidation: async (request: FastifyRequest) => await requireClientOrBearer(instance, ctx, request) }
    : { config: { auth: 'none', limit: 'open', publicRead: true } as const }
  // Before the server stops: an open stream would keep it from ever closing.
  app.addHook('preClose', async () => subscribers.close())

  app.get('/v1/revocations', {
    ...access,
    handlerTimeout: 35_000,
    schema: {
      operationId: 'getRevocations',
      summary: 'What has ended',
      description: 'Everything that lives, or with `since` what came after it; with `wait` the answer is held back until there is something, at most that many seconds. ' + ACCESS,
      tags: ['Verification'],
      querystring: Strict({
        since: Type.Optional(Type.String({ pattern: CURSOR })),
        wait: Type.Optional(Type.String({ pattern: '^([0-9]|[12][0-9]|30)$', description: 'Seconds, at most 30.', examples: ['25'] })),
        xid: Type.Optional(OneOf(['true', 'false'], { description: 'For relays: each entry carries its exact end and its transaction id.' })),
      }),
      response: {
        200: Document,
        304: Type.Null({ description: 'Unchanged since the `ETag` in `If-None-Match`.' }),
        ...problemResponses('invalid_request', 'invalid_cursor', 'stale_revocations', ...GUARD),
      },
    },
  }, async (request, reply) => {
    const { since, wait } = request.query
    const xid = request.query.xid === 'true'
    if (since !== undefined) return await readDelta(ctx, { since, waitSeconds: Number(wait ?? 0), xid }, AbortSignal.any([leaving, clientGone(reply)]))
    const { etag, document } = readSnapshot(ctx, { xid })
    reply.headers({ etag, 'cache-control': closed ? 'private, no-cache' : 'public, max-age=1' })
    return isUnchanged(request, etag) ? await reply.code(304).send(null) : document()
  })

  app.get('/v1/revocations/stream', {
    ...access,
    schema: {
      operationId: 'streamRevocations',
      summary: 'What ends, as it ends',
      description: 'Server-sent events: `full` and `rev` carry a document, `tick` every ten seconds says how fresh the feed is. `Last-Event-ID` is honoured by every node. The stream is closed after 5 to 15 minutes. ' + ACCESS,
      tags: ['Verification'],
      response: {
        200: { description: 'Events', content: { 'text/event-stream': { schema: Type.String() } } },
        ...problemResponses('invalid_request', 'invalid_cursor', 'too_many_requests', 'stale_revocations', ...GUARD),
      },
    },
  }, async (request, reply) => {
    if (request.method === 'HEAD') return await reply.type('text/event-stream').send('')
    const lastEventId = request.headers['last-event-id']
    await subscribers.add(() => {
      reply.hijack()
      return reply.raw.writeHead(200, { ...reply.getHeaders() as Record<string, string>, 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
    }, addressBucket(request), typeof lastEventId === 'string' ? lastEventId : undefined)
    return reply
  })
}
