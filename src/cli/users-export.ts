import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { retryUnavailable } from '../db/client.ts'
import { exportUsers, type ExportedUser } from '../core/users/import/store.ts'
import { MISUSED, type Command } from './command.ts'
import { withDatabase } from './with-database.ts'

const PAGE = 1_000

/** Every account in the form that an import reads, a page at a time; no faster than somebody reads it. */
export const exportAccounts: Command = async (args, env) => {
  const withHashes = read(args)
  if (withHashes === null) return MISUSED
  return await withDatabase(env, async ({ db }) => {
    // `users export | head`: who has read enough is no fault.
    process.stdout.on('error', () => {})
    for (let after: string | null = null; process.stdout.writable;) {
      const page: ExportedUser[] = await retryUnavailable(() => exportUsers(db, { after, limit: PAGE, withHashes }))
      if (page.length === 0) break
      after = page.at(-1)!.id
      if (!process.stdout.write(page.map(user => `${JSON.stringify(asLine(user))}\n`).join(''))) await Promise.race([once(process.stdout, 'drain'), once(process.stdout, 'close')]).catch(() => {})
    }
    return 0
  })
}

function read (args: readonly string[]): boolean | null {
  try { return parseArgs({ args: [...args], options: { 'with-hashes': { type: 'boolean' } } }).values['with-hashes'] ?? false } catch { return null }
}

/** What has its default is left out. */
function asLine ({ id, email, email_verified_at: verifiedAt, name, status, roles, claims, locale, profile, created_at: createdAt, password_hash: hash }: ExportedUser): object {
  return {
    id,
    email,
    email_verified: verifiedAt ?? false,
    ...(name !== null && { name }),
    ...(status !== 1 && { status: 'disabled' }),
    ...(roles.length > 0 && { roles }),
    ...(Object.keys(claims).length > 0 && { claims }),
    ...(locale !== null && { locale }),
    ...(Object.keys(profile).length > 0 && { profile }),
    created_at: createdAt,
    ...(hash !== null && { password_hash: hash }),
  }
}
