import type { Db } from '../../db/client.ts'
import { AppError } from '../../errors.ts'
import { findUser, type User } from './store.ts'

/** The role that an access token with the scope `admin` speaks of. */
export const ADMIN_ROLE = 'admin'

/**
 * The caller of the Admin API, as the database has them now: a token tells what was true when it was issued, and an administrator
 * who was demoted or disabled a moment ago is one no longer, on every node.
 * @throws invalid_token when the account is gone, disabled or its sessions were ended; insufficient_scope without the role
 */
export async function requireAdmin ({ db }: { db: Db }, { sub, ver }: { sub: string, ver: number }): Promise<User> {
  const user = await findUser(db, sub)
  if (!user || !user.active || user.epoch !== ver) throw new AppError('invalid_token')
  if (!user.roles.includes(ADMIN_ROLE)) throw new AppError('insufficient_scope')
  return user
}
