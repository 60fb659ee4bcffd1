import { createHmac, hash, timingSafeEqual } from 'node:crypto'
import { inTransaction, type Db } from '../../db/client.ts'
import { isLockTimeout } from '../../db/faults.ts'
import { AppError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'
import { seal, unseal } from '../../lib/seal.ts'
import { deriveKey } from '../keys/derive.ts'
import type { Key, Keyring } from '../keys/keyring.ts'
import { claimKey, findAnswer, keepAnswer, type Claim, type Kept } from './store.ts'

/** One request of one caller, as the client names it. */
export type Once = {
  /** Absent: nothing is kept, and the request may be carried out again. */
  key: string | undefined
  /** The caller's sub, client_id, or "public": nobody meets the answers of another. */
  actor: string
  /** Method and path as the router knows it. */
  route: string
  /** What must be the same when the key comes again. */
  payload: { method: string, path: string, body: unknown }
}
export type Answer = { status: number, body: unknown }

/**
 * Does `work` in a transaction, and where there is a key once: together with the row that keeps its answer for a day, or not at all. A
 * node that dies leaves no row, so the next try does it; a try beside one that is under way waits for it. What `work` throws is no answer and is not kept. Nothing slow in `work`: passwords are hashed before.
 * @throws idempotency_key_reused for another payload, request_in_progress when the other try takes too long
 */
export async function once<C extends { db: Db, keyring: Keyring, clock: Clock }> (ctx: C, request: Once, work: (ctx: C) => Promise<Answer>): Promise<Answer & { replayed: boolean }> {
  const { key, actor, route } = request
  if (key === undefined) return { ...await inTransaction(ctx, work), replayed: false }
  const claim: Claim = { scope: digest(`${actor}|${route}`), key: digest(key) }
  const current = ctx.keyring.signingKey('ft', ctx.clock.now() / 1000)
  try {
    return await inTransaction(ctx, async ctx => {
      if (!await claimKey(ctx.db, { ...claim, fp: fingerprint(current, request) })) {
        const kept = await findAnswer(ctx.db, claim)
        // Purged between the two statements: to begin anew is what it is for.
        if (!kept) throw new AppError('request_in_progress')
        return { ...replay(ctx, request, claim, kept), replayed: true }
      }
      const { status, body } = await work(ctx)
      await keepAnswer(ctx.db, claim, { status, body: seal(deriveKey(current, 'idempotency/body'), Buffer.from(JSON.stringify(body)), contextOf(claim)).toString('base64') })
      return { status, body, replayed: false }
    })
  } catch (error) {
    throw isLockTimeout(error) ? new AppError('request_in_progress', { cause: error }) : error
  }
}

/** Keys change once a month, so each that may have been the current one a day ago is tried. */
function replay ({ keyring }: { keyring: Keyring }, request: Once, claim: Claim, { fp, status, body }: Kept): Answer {
  const key = keyring.usable('ft').find(key => timingSafeEqual(fingerprint(key, request), fp))
  if (!key) throw new AppError('idempotency_key_reused')
  return { status, body: JSON.parse(unseal(deriveKey(key, 'idempotency/body'), Buffer.from(body as string, 'base64'), contextOf(claim)).toString()) as unknown }
}

/** Keyed: a plain digest of a sign-up would be a fast hash of its password. */
const fingerprint = (key: Key, { payload: { method, path, body } }: Once): Buffer =>
  createHmac('sha256', deriveKey(key, 'idempotency/fingerprint')).update(JSON.stringify([method, path, canonical(body)])).digest()

/** Members in one order, whatever the client's. */
const canonical = (value: unknown): unknown => {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(canonical)
  return Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1).map(([name, member]) => [name, canonical(member)])
}

const digest = (text: string): Buffer => hash('sha256', text, 'buffer').subarray(0, 16)
const contextOf = ({ scope, key }: Claim): string => `${scope.toString('hex')}|${key.toString('hex')}`
