import type { FastifyInstance } from 'fastify'
import type { Context } from '../context.ts'
import { requireAdmin } from '../core/users/require-admin.ts'

/** What every route of the Admin API declares. */
export const ADMIN = { auth: 'bearer', scope: 'admin', limit: 'admin' } as const

/** And what the feature of such routes calls first: before a body is judged, the caller is read from the database. */
export function adminOnly (app: FastifyInstance, ctx: Context): void {
  app.addHook('preValidation', async request => { await requireAdmin(ctx, request.user) })
}
