import type { FastifyRequest } from 'fastify'
import type { By } from '../../core/audit/events.ts'
import { sourceOf } from '../../http/source.ts'

export const byAdmin = (request: FastifyRequest): By => ({ actor: `admin:${request.user.sub}`, source: sourceOf(request) })
