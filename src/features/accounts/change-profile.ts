import type { Source } from '../../core/audit/events.ts'
import { requireLocale } from '../../core/users/require-locale.ts'
import { changeProfile as store, type ProfileChange, type User } from '../../core/users/store.ts'
import type { Db } from '../../db/client.ts'
import { AppError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'
import { jsonFault } from '../../lib/plain-json.ts'

const MAX_PROFILE_BYTES = 4_096
const MAX_DEPTH = 6

/**
 * The caller's own name, language and profile, and nothing else that is theirs.
 * @throws invalid_request, invalid_token
 */
export async function changeProfile (
  deps: { db: Db, clock: Clock }, { sub, ver }: { sub: string, ver: number }, { name, locale, profile }: ProfileChange, source: Source
): Promise<User> {
  const change: ProfileChange = {
    ...(name !== undefined && { name }),
    ...(locale !== undefined && { locale: locale === null ? null : requireLocale(locale) }),
    ...(profile !== undefined && { profile }),
  }
  const fault = jsonFault(profile ?? {}, MAX_DEPTH)
  if (fault) throw refused('/profile', 'format', fault)
  const changed = await store(deps, { id: sub, ver, maxProfileBytes: MAX_PROFILE_BYTES }, change, { actor: `user:${sub}`, source })
  if (!changed) throw new AppError('invalid_token')
  if (!changed.fits) throw refused('/profile', 'max_length', `would have more than ${MAX_PROFILE_BYTES} bytes`)
  return changed.user
}

const refused = (pointer: string, code: string, message: string): AppError => new AppError('invalid_request', { errors: [{ pointer, code, message }] })
