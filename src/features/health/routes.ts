import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { VerifierContext } from '../../context.ts'
import { Double, OneOf, problemResponses, Strict } from '../../http/schemas.ts'
import { typed } from '../../http/typed.ts'
import { standing } from './standing.ts'

const Readiness = (description: string) => Strict({
  status: OneOf(['ready', 'draining', 'not_ready']),
  database: Type.Optional(OneOf(['up', 'away'])),
  upstream: Type.Optional(OneOf(['up', 'away'], { description: 'Instead of the database, with `MODE=verifier`.' })),
  staleness_seconds: Type.Optional(Double({ description: 'How old that is what the upstream said last; absent while it has said nothing yet.' })),
}, { title: 'Readiness', description })

// Probes. /readyz asks "can this node verify?": a database or an upstream that is away does not take it out of the balancer, or
// a restart of it would stop verification everywhere. It turns false the moment the node is told to stop.
export async function healthRoutes (instance: FastifyInstance, { ctx, draining }: { ctx: VerifierContext, draining: AbortSignal }): Promise<void> {
  const app = typed(instance)
  const config = { auth: 'none', limit: 'probe' } as const

  app.get('/livez', {
    config,
    schema: { operationId: 'livez', summary: 'The process runs', tags: ['Operation'], response: { 200: Strict({ status: OneOf(['live']) }, { title: 'Liveness', description: 'Live' }), ...problemResponses() } },
  }, async () => ({ status: 'live' as const }))

  app.get('/readyz', {
    config,
    schema: {
      operationId: 'readyz',
      summary: 'This node can verify tokens',
      tags: ['Operation'],
      response: { 200: Readiness('Ready. `database` says whether sign-in and refresh work too.'), 503: Readiness('Draining, or without keys and endings: send nothing here.'), ...problemResponses() },
    },
  }, async (_request, reply) => {
    const { ready, up: _, ...more } = standing(ctx)
    if (draining.aborted) return await reply.code(503).send({ status: 'draining', ...more })
    return ready ? { status: 'ready' as const, ...more } : await reply.code(503).send({ status: 'not_ready', ...more })
  })

  app.get('/readyz/full', {
    config,
    schema: {
      operationId: 'readyzFull',
      summary: 'This node can do everything',
      tags: ['Operation'],
      response: { 200: Readiness('Ready.'), 503: Readiness('Draining, or the database or the upstream does not answer.'), ...problemResponses() },
    },
  }, async (_request, reply) => {
    const { ready, up, ...more } = standing(ctx)
    if (draining.aborted) return await reply.code(503).send({ status: 'draining', ...more })
    return ready && up ? { status: 'ready' as const, ...more } : await reply.code(503).send({ status: 'not_ready', ...more })
  })
}
