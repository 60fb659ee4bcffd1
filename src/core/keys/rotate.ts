import type { KeyEncryptionKeys } from '../../config-values.ts'
import { inTransaction, type Db } from '../../db/client.ts'
import { AppError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'
import type { AuditEvent } from '../audit/events.ts'
import { recordEvent } from '../audit/store.ts'
import { generateKey, type KeyAlg } from './generate.ts'
import { isWaiting, keyToSignWith, leadSecondsOf, placesToRotate, slotAt } from './schedule.ts'
import { sealKey } from './sealing.ts'
import { insertKey, loadKeys } from './store.ts'

type Settings = { keyEncryptionKey: KeyEncryptionKeys, signingAlg: 'ES256' | 'RS256', keySlotSeconds: number, jwksMaxAgeSeconds: number }
/** `signsFrom` in seconds of the database's time. */
export type Rotation = { kid: string, alg: KeyAlg, signsFrom: number }

const ATTEMPTS = 5
class Overtaken extends Error {}

/**
 * A planned change of the key that signs access tokens, by hand: a new key over this slot's and one over the next slot's, shown
 * from now on, which sign once nobody can have a key set without them. What they take over from stays published as any key does.
 * While a new key is waiting already, another rotation makes none, and answers with that one: so does a repeated call.
 */
export async function rotateSigningKey (deps: { db: Db, clock: Clock, settings: Settings }, by: Pick<AuditEvent, 'actor' | 'source'>): Promise<Rotation> {
  const { settings } = deps
  const leadSeconds = leadSecondsOf('at', settings)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { rows, now } = await loadKeys(deps.db, 0, settings.keySlotSeconds)
    const keys = rows.filter(({ use }) => use === 'at').map(({ created_at: createdAt, ...row }) => ({ ...row, createdAt }))
    const waiting = keys.filter(key => isWaiting(key, { at: now, leadSeconds }))
    if (waiting.length > 0) {
      const at = Math.max(...waiting.map(({ createdAt }) => createdAt)) + leadSeconds
      const { kid, alg } = keyToSignWith(keys, 'at', { slot: slotAt(at, settings.keySlotSeconds), at, leadSeconds })!
      return { kid, alg, signsFrom: at }
    }
    const made = await Promise.all(placesToRotate(keys, 'at', slotAt(now, settings.keySlotSeconds)).map(async place => {
      const key = { ...await generateKey(settings.signingAlg), ...place }
      return { ...key, ...sealKey(settings.keyEncryptionKey, key, key.secret) }
    }))
    try {
      await inTransaction(deps, async ({ db, clock }) => {
        for (const key of made) if (!await insertKey(db, key, { over: true })) throw new Overtaken()
        await recordEvent({ db, clock }, { type: 'key.rotated', ...by, data: { kids: made.map(({ kid }) => kid) } })
      })
    } catch (error) {
      // Another rotation, or a slot that began: what is there now decides.
      if (!(error instanceof Overtaken)) throw error
    }
  }
  throw new AppError('database_unavailable', { retryAfterSeconds: 2 })
}
