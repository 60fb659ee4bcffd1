import type { FastifyInstance } from 'fastify'
import type { VerifierContext } from '../../context.ts'
import { OneOf, problemResponses, Strict } from '../../http/schemas.ts'
import { typed } from '../../http/typed.ts'
import { databaseAnswers } from './database-answers.ts'

const Readiness = (description: string) => Strict({
  status: OneOf(['ready', 'draining', 'not_ready']),
  database: OneOf(['up', 'away']),
}, { description })

// Probes. /readyz asks "can this node verify?": a database that is away does not take it out of the balancer, or a
// restart of the database would stop verification everywhere. It turns false the moment the node is told to stop.
export async function healthRoutes (instance: FastifyInstance, { ctx, draining }: { ctx: VerifierContext, draining: AbortSignal }): Promise<void> {
  const app = typed(instance)
  const config = { auth: 'none', limit: 'probe' } as const

  app.get('/livez', {
    config,
    schema: { operationId: 'livez', summary: 'The process runs', tags: ['Operation'], response: { 200: Strict({ status: OneOf(['live']) }, { description: 'Live' }), ...problemResponses() } },
  }, async () => ({ status: 'live' as const }))

  app.get('/readyz', {
    config,
    schema: {
      operationId: 'readyz',
      summary: 'This node can verify tokens',
      tags: ['Operation'],
      response: { 200: Readiness('Ready. `database` says whether sign-in and refresh work too.'), 503: Readiness('Draining: send nothing new here.'), ...problemResponses() },
    },
  }, async (_request, reply) => {
    const database = databaseAnswers(ctx) ? 'up' : 'away'
    return draining.aborted ? await reply.code(503).send({ status: 'draining', database }) : { status: 'ready' as const, database } as const
  })

  app.get('/readyz/full', {
    config,
    schema: {
      operationId: 'readyzFull',
      summary: 'This node can do everything',
      tags: ['Operation'],
      response: { 200: Readiness('Ready.'), 503: Readiness('Draining, or the database does not answer.'), ...problemResponses() },
    },
  }, async (_request, reply) => {
    const database = databaseAnswers(ctx) ? 'up' : 'away'
    if (draining.aborted) return await reply.code(503).send({ status: 'draining', database })
    return database === 'up' ? { status: 'ready' as const, database } as const : await reply.code(503).send({ status: 'not_ready', database })
  })
}
