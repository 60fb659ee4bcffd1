import type { FastifyInstance } from 'fastify'
import type { Context } from '../../context.ts'
import { adminOnly } from '../../http/admin-only.ts'
import { clientRoutes } from './client-routes.ts'
import { keyRoutes } from './key-routes.ts'
import { recordRoutes } from './record-routes.ts'

// What an operator does with the installation itself: its services, its keys, its records. Everything that changes something is in
// the audit trail with who did it, by the statement or the transaction that does it.
export async function adminOperationsRoutes (app: FastifyInstance, { ctx }: { ctx: Context }): Promise<void> {
  adminOnly(app, ctx)
  clientRoutes(app, ctx)
  keyRoutes(app, ctx)
  recordRoutes(app, ctx)
}
