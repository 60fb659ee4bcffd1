import type { Context } from '../../context.ts'
import type { By } from '../../core/audit/events.ts'
import { registerClient, type Registration } from '../../core/clients/register.ts'
import { deleteClient, ENDED_EPOCH, findClient, type ClientRow } from '../../core/clients/store.ts'
import type { Answer } from '../../core/idempotency/once.ts'
import { AppError } from '../../errors.ts'

/** Of a client what may be shown: a digest of a secret is nobody's business. */
export const clientAnswer = ({ id, name, jwks, scopes, created_at: createdAt, disabled_at: disabledAt }: ClientRow) => ({
  id, name, scope: scopes.join(' '), jwks, created_at: createdAt.toISOString(), deleted_at: disabledAt?.toISOString() ?? null,
})

/**
 * Registers a client. What it answers may be kept for a day, so the secret is not in it: it is handed to `show`, for the one answer
 * of the request that made it (docs/decisions/0033).
 */
export async function createClient (ctx: Context, registration: Registration, by: By, show: (secret: string | null) => void): Promise<Answer> {
  const { id, secret } = await registerClient(ctx, registration, by)
  show(secret)
  return { status: 201, body: { ...clientAnswer(await getClient(ctx, id)), client_secret: null } }
}

/** @throws not_found */
export async function getClient ({ db }: Pick<Context, 'db'>, id: string): Promise<ClientRow> {
  const client = await findClient(db, id)
  if (!client) throw new AppError('not_found')
  return client
}

/** Its credentials and its tokens are refused here at once, elsewhere within a second. Deleted already: the same. @throws not_found */
export async function removeClient (ctx: Context, id: string, by: By): Promise<void> {
  if (!await deleteClient(ctx, id, by)) await getClient(ctx, id)
  ctx.revocations.note('u', id, ENDED_EPOCH)
}
