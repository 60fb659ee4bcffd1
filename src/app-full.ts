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
import { cookies } from './http/session-cookie.ts'

export { oauthRoutes }

/** The features that need a database: one module, so that a node without one loads none of what they bring (Prisma, pg, argon2), and a node with one has it in one piece. */
export async function databaseRoutes (app: FastifyInstance, { ctx }: { ctx: Context }): Promise<void> {
  // Cookies cost every request of a scope that has them.
  await app.register(async people => {
    await people.register(cookies)
    await people.register(accountRoutes, { ctx })
    await people.register(ownSessionRoutes, { ctx })
    await people.register(passwordRoutes, { ctx })
    await people.register(emailVerificationRoutes, { ctx })
    await people.register(passwordResetRoutes, { ctx })
    await people.register(emailChangeRoutes, { ctx })
    if (ctx.config.appUrl === undefined) await people.register(pageRoutes, { ctx })
    await people.register(sessionRoutes, { ctx })
  })
  await app.register(adminUserRoutes, { ctx })
  await app.register(adminClientRoutes, { ctx })
  await app.register(adminKeyRoutes, { ctx })
  await app.register(adminRecordRoutes, { ctx })
}
