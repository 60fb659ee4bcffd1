import type { FastifyInstance } from 'fastify'
import type { Context } from './context.ts'
import { accountRoutes } from './features/accounts/routes.ts'
import { adminClientRoutes } from './features/admin-clients/routes.ts'
import { adminKeyRoutes } from './features/admin-keys/routes.ts'
import { adminRecordRoutes } from './features/admin-records/routes.ts'
import { adminUserRoutes } from './features/admin-users/routes.ts'
import { emailChangeRoutes } from './features/email-change/routes.ts'
import { emailVerificationRoutes } from './features/email-verification/routes.ts'
import { oauthRoutes } from './features/oauth/routes.ts'
import { ownSessionRoutes } from './features/own-sessions/routes.ts'
import { pageRoutes } from './features/pages/routes.ts'
import { passwordRoutes } from './features/password/routes.ts'
import { passwordResetRoutes } from './features/password-reset/routes.ts'
import { sessionRoutes } from './features/sessions/routes.ts'

export { oauthRoutes }

/** The features that need a database: one module, so that a node without one loads none of what they bring (Prisma, pg, argon2), and a node with one has it in one piece. */
export async function databaseRoutes (app: FastifyInstance, { ctx }: { ctx: Context }): Promise<void> {
  await app.register(accountRoutes, { ctx })
  await app.register(ownSessionRoutes, { ctx })
  await app.register(passwordRoutes, { ctx })
  await app.register(emailVerificationRoutes, { ctx })
  await app.register(passwordResetRoutes, { ctx })
  await app.register(emailChangeRoutes, { ctx })
  if (ctx.config.appUrl === undefined) await app.register(pageRoutes, { ctx })
  await app.register(sessionRoutes, { ctx })
  await app.register(adminUserRoutes, { ctx })
  await app.register(adminClientRoutes, { ctx })
  await app.register(adminKeyRoutes, { ctx })
  await app.register(adminRecordRoutes, { ctx })
}
