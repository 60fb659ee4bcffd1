import type { Keyring } from '../../core/keys/keyring.ts'
import { pageOf, positionOf } from '../../core/lists/pages.ts'
import type { Account } from '../../core/users/admin/account.ts'
import { listAccounts } from '../../core/users/admin/store.ts'
import type { Db } from '../../db/client.ts'
import type { Clock } from '../../lib/clock.ts'
import { canonicalEmail } from '../../lib/email-address.ts'

export type Query = { email?: string, email_prefix?: string, status?: 'active' | 'disabled', verified?: 'true' | 'false', role?: string, cursor?: string }

/** A page of accounts. One that comes or goes meanwhile moves no other: each is seen exactly once. @throws invalid_cursor */
export async function listPage (deps: { db: Db, keyring: Keyring, clock: Clock }, caller: { sub: string }, { cursor, ...query }: Query, limit: number): Promise<{ items: Account[], next: string | null }> {
  const list = { ...query, list: 'users', sub: caller.sub }
  const [after] = positionOf(deps, list, cursor) ?? []
  const prefix = query.email_prefix?.toLowerCase()
  const rows = await listAccounts(deps.db, {
    // What is no address belongs to nobody.
    email: query.email === undefined ? undefined : canonicalEmail(query.email) ?? '',
    emailPrefix: prefix,
    active: query.status && query.status === 'active',
    verified: query.verified && query.verified === 'true',
    role: query.role,
  }, { after, limit: limit + 1 })
  return pageOf(deps, list, { rows, limit, position: ({ id, email }) => [prefix === undefined ? id : email] })
}
