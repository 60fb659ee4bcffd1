import type { Source } from '../../core/audit/events.ts'
import type { Account } from '../../core/users/admin/account.ts'
import { lockAccounts } from '../../core/users/admin/store.ts'
import { ADMIN_ROLE } from '../../core/users/require-admin.ts'
import type { Db } from '../../db/client.ts'
import { AppError } from '../../errors.ts'

/** The administrator who asks, by a verified token, and from where. */
export type Caller = { sub: string, ver: number, source: Source }

/**
 * The account that is to be changed, held until the transaction ends, and with it the caller's: of two administrators who demote each
 * other at the same time, one is none any more when it comes to it, and somebody is left.
 * @throws not_found; invalid_token, insufficient_scope when the caller is no administrator any more
 */
export async function lockTarget ({ db }: { db: Db }, caller: Caller, id: string): Promise<Account> {
  const accounts = await lockAccounts(db, [...new Set([caller.sub, id])])
  const admin = accounts.find(account => account.id === caller.sub)
  if (!admin || !admin.active || admin.epoch !== caller.ver) throw new AppError('invalid_token')
  if (!admin.roles.includes(ADMIN_ROLE)) throw new AppError('insufficient_scope')
  const target = accounts.find(account => account.id === id)
  if (!target) throw new AppError('not_found')
  return target
}

/** Whoever could shut themselves out could shut everybody out, by one slip: another administrator has to do it. @throws invalid_request */
export function refuseSelf ({ sub }: Caller, id: string, what: string): void {
  if (sub === id) throw new AppError('invalid_request', { detail: `You cannot ${what}; another administrator can.` })
}
