import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'

/** Types of bodies and answers from their schemas. The provider's value is not needed, and costs 60 ms to load. */
export const typed = (app: FastifyInstance) => app.withTypeProvider<TypeBoxTypeProvider>()
