import { findUser, type User } from '../../core/users/store.ts'
import type { Db } from '../../db/client.ts'
import { AppError } from '../../errors.ts'

/** The caller, as the database has them now. @throws invalid_token when the account is gone, disabled or its sessions were ended */
export async function readOwnAccount ({ db }: { db: Db }, { sub, ver }: { sub: string, ver: number }): Promise<User> {
  const user = await findUser(db, sub)
  if (!user || !user.active || user.epoch !== ver) throw new AppError('invalid_token')
  return user
}
