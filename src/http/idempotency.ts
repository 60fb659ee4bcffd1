import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Context } from '../context.ts'
import { once, type Answer } from '../core/idempotency/once.ts'

const HEADER = 'idempotency-key'

/** For `schema.headers` of a route that creates something. Never on one that answers tokens: they would be kept. */
export const IdempotencyHeaders = Type.Object({
  [HEADER]: Type.Optional(Type.String({
    pattern: '^[\\x21-\\x7e]{1,255}$',
    description: 'A random text of your choice: the same request with the same key within a day is carried out once, and its answer repeated with `Idempotency-Replayed: true`, by any node.',
    examples: ['8e03978e-40d5-43dd-bc93-6894a57f9324'],
  })),
})

/**
 * `work` in a transaction, and with an Idempotency-Key at most once for that key. Answers with what it returns.
 * @param unkept members of the first answer that are not kept, for what must not be shown twice
 * @throws request_in_progress, idempotency_key_reused
 */
export async function answerOnce (ctx: Context, request: FastifyRequest, reply: FastifyReply, { actor, unkept }: { actor: string, unkept?: () => object }, work: (ctx: Context) => Promise<Answer>): Promise<FastifyReply> {
  const { method, url, body: payload, headers: { [HEADER]: key } } = request
  const { status, body, replayed } = await once(ctx, {
    key: typeof key === 'string' ? key : undefined,
    actor,
    route: `${method} ${request.routeOptions.url}`,
    payload: { method, path: url, body: payload },
  }, work)
  if (replayed) reply.header('idempotency-replayed', 'true')
  return await reply.code(status).send(replayed || !unkept ? body : { ...body as object, ...unkept() })
}
