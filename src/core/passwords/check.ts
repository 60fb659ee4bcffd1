import { inTransaction, type Db } from '../../db/client.ts'
import { AppError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'
import type { AuditEvent, Source } from '../audit/events.ts'
import { recordEvent } from '../audit/store.ts'
import type { Jobs } from '../jobs/jobs.ts'
import type { Keyring } from '../keys/keyring.ts'
import { enqueueMail } from '../mail/enqueue.ts'
import type { Guess, Limits } from '../throttle/limits.ts'
import { readDevice } from '../tokens/device-token.ts'
import { acceptGuess, countFailure, FAILURE_CAPS, findForCheck, lockFailures, type Browser, type SignInRecord } from '../users/store.ts'
import type { Passwords, Waiter } from './hash.ts'

type Deps = { db: Db, clock: Clock, keyring: Keyring, passwords: Passwords, limits: Limits, jobs: Jobs }

/** Who guesses: what the browser says it is (its device cookie), where it is, and who waits for the hash. */
export type Guesser = { device: string | undefined, source: Source, waiter: Waiter }

export type Comparison = {
  /** Not yet: `settle` may find that the cap was reached meanwhile. */
  right: boolean
  rehash: { from: string, to: string } | null
  browser: Browser
  /** Its name, where it is a known one. */
  device: string | null
  guess: Pick<Guess, 'wasRight'>
}

/**
 * One guess, counted and then compared. No account, none that is active, no password and too many failures are compared with a hash that
 * nothing matches: the same work, and a capped account's password is not tried at all.
 * @param email names an address without an account
 * @throws too_many_requests, login_busy
 */
export async function comparePassword (deps: Deps, account: SignInRecord | null, email: string, password: string, by: Guesser): Promise<Comparison> {
  const hash = account?.active ? account.passwordHash : null
  const device = account && hash !== null ? await readDevice(deps, { id: account.id, passwordHash: hash }, by.device) : null
  const browser = device === null ? 'unknown' : 'known'
  const guess = await deps.limits.guess(account ?? { email }, device)
  const open = account !== null && account.failures[browser] < FAILURE_CAPS[browser]
  try {
    const verdict = await deps.passwords.verify(open ? hash : null, password, by.waiter)
    return { right: verdict.ok, rehash: verdict.ok && verdict.rehash !== null ? { from: hash!, to: verdict.rehash } : null, browser, device, guess }
  } catch (error) {
    guess.wasNotMade()
    throw error
  }
}

/** As many failures below the cap as guesses can be on their way at once (see Limits), and a few: from there on they are settled in turn. */
const MARGIN: Record<Browser, number> = { unknown: 15, known: 6 }

/**
 * Writes what came of it, one statement; until it is written nobody hears of it. Near the cap guesses are settled one after the other, in an order that does not depend
 * on which was right: otherwise of the last ones that come together the right one would have the better chances, and so more be compared than the cap allows.
 * @param right what to record when it was right; null: nothing
 * @param wrong what to record when it was not, or came too late
 * @returns whether it was right
 */
export async function settle (deps: Deps, account: SignInRecord | null, compared: Comparison, events: { right: AuditEvent | null, wrong: AuditEvent }): Promise<boolean> {
  const { right, rehash, browser } = compared
  const missing = account?.passwordHash ? FAILURE_CAPS[browser] - account.failures[browser] : 0
  // Nothing is counted where nothing could be guessed: no account, no password, or at the cap.
  if (account === null || missing <= 0) {
    await recordEvent(deps, events.wrong)
    return false
  }
  if (missing > MARGIN[browser]) {
    if (right && await acceptGuess(deps, account.id, browser, rehash, events.right)) return accepted(compared)
    if (await countFailure(deps, account.id, browser, { last: false }, events.wrong)) return false
  }
  return await inTransaction(deps, async tx => await settleInTurn(tx, account.id, compared, events)) && accepted(compared)
}

function accepted ({ guess }: Comparison): true {
  guess.wasRight()
  return true
}

/** With whoever reaches the cap its owner is told, in the same transaction. */
async function settleInTurn (tx: Deps, userId: string, { right, rehash, browser }: Comparison, events: { right: AuditEvent | null, wrong: AuditEvent }): Promise<boolean> {
  const before = await lockFailures(tx.db, userId, browser)
  if (right && await acceptGuess(tx, userId, browser, rehash, events.right)) return true
  const last = before === FAILURE_CAPS[browser] - 1
  // The account may have gone meanwhile.
  if (!await countFailure(tx, userId, browser, { last }, events.wrong)) await recordEvent(tx, events.wrong)
  else if (last) await enqueueMail(tx, { kind: 'sign_in_locked', user_id: userId })
  return false
}

/**
 * For somebody who is signed in and about to do what needs the password again: a stolen token must not be good for guessing it.
 * @param purpose for the audit trail, such as `email.change`
 * @returns the account as it was read
 * @throws invalid_credentials, too_many_requests, login_busy; invalid_token when the account is gone or disabled, or its sessions were ended: such a token does not even guess
 */
export async function checkPassword (deps: Deps, { sub: userId, ver }: { sub: string, ver: number }, password: string, by: Guesser, purpose: string): Promise<SignInRecord & { passwordHash: string }> {
  const account = await findForCheck(deps.db, userId)
  if (!account?.active || account.epoch !== ver) throw new AppError('invalid_token')
  const compared = await comparePassword(deps, account, account.email, password, by)
  const wrong: AuditEvent = { type: 'password.refused', outcome: 'failure', actor: `user:${userId}`, userId, source: by.source, data: { purpose } }
  if (!await settle(deps, account, compared, { right: null, wrong })) throw new AppError('invalid_credentials')
  return { ...account, passwordHash: compared.rehash?.to ?? account.passwordHash! }
}
