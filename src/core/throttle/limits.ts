import { createHmac } from 'node:crypto'
import { RateLimiterRes, type RateLimiterAbstract } from 'rate-limiter-flexible'
import type { Pool } from '../../db/client.ts'
import { AppError } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { deriveKey } from '../keys/derive.ts'
import type { Keyring } from '../keys/keyring.ts'
import { sharedClasses, type SharedClass } from './classes.ts'
import { postgresCounters, type Allowance, type Counters } from './counters.ts'

const MAILBOX: Allowance = { name: 'm', points: 3, seconds: 3_600 }
/** A guess a minute, always. */
const STEADY: Allowance = { name: 'a', points: 1, seconds: 60 }
/**
 * And a few at once, which come back after an hour and a half: ninety guesses, the cap of strangers, take 80 minutes, and the window must not begin anew within them.
 * With the steady one of the first minute, ten for all strangers together, five for a browser that the owner has used.
 */
const BURST_SECONDS = 5_400
const BURSTS = { unknown: { name: 'b', points: 9, seconds: BURST_SECONDS }, known: { name: 'd', points: 4, seconds: BURST_SECONDS } } as const

/** What came of it, where it was no failure. */
export type Guess = {
  /** Failures before it are forgotten. */
  wasRight: () => void
  /** Nothing was compared. */
  wasNotMade: () => void
}

type Deps = { keyring: Keyring, log: Log, config: { rateLimitScale: number } }

/** Limits that hold for all nodes together. Each throws `too_many_requests` with the time to wait, and none tells whether there is an account. */
export class Limits {
  readonly #deps: Deps
  readonly #counters: Counters
  readonly #addresses: ReadonlyMap<SharedClass, RateLimiterAbstract>
  readonly #mailbox: RateLimiterAbstract
  readonly #steady: RateLimiterAbstract
  readonly #bursts: { unknown: RateLimiterAbstract, known: RateLimiterAbstract }
  /** What is given back without anybody waiting for it. */
  readonly #returning = new Set<Promise<unknown>>()

  constructor (deps: Deps, counters: Counters) {
    this.#deps = deps
    this.#counters = counters
    const { rateLimitScale } = deps.config
    const { counter } = counters
    this.#addresses = new Map(Object.entries(sharedClasses).map(([name, { points, seconds }]) => [name as SharedClass, counter({ name, points: points * rateLimitScale, seconds })]))
    this.#mailbox = counter(MAILBOX)
    this.#steady = counter(STEADY)
    this.#bursts = { unknown: counter(BURSTS.unknown), known: counter(BURSTS.known) }
  }

  /** Every request of such a route counts against its address, whatever comes of it. @param address as `addressBucket` writes it */
  async attempt (limit: SharedClass, address: string): Promise<void> {
    await take([this.#addresses.get(limit)!], address)
  }

  /** One mail to this address. An address without an account counts like one with. @param email canonical */
  async mailbox (email: string): Promise<void> {
    await take([this.#mailbox], this.#nameOf(email))
  }

  /**
   * One guess at a password, counted before it is compared, so that guesses at the same time cannot all be the last one.
   * @param account its id, or an address that has none
   * @param device the browser, where the owner has used it before
   */
  async guess (account: { id: string } | { email: string }, device: string | null): Promise<Guess> {
    const key = `${'id' in account ? account.id : this.#nameOf(account.email)}:${device ?? '*'}`
    const [steady, burst] = [this.#steady, device === null ? this.#bursts.unknown : this.#bursts.known]
    const tried: RateLimiterAbstract[] = []
    const taken = await take([steady, burst], key, tried).catch((error: Error) => {
      // Refusals are no guesses: uncounted, or a right guess could not give back what they took beyond the limit.
      if (tried.includes(burst) && error instanceof AppError) this.#later(burst.reward(key, 1))
      throw error
    })
    return {
      wasRight: () => { for (const counter of tried) this.#later(counter.delete(key)) },
      wasNotMade: () => { this.#later(taken.reward(key, 1)) },
    }
  }

  /** Nobody waits for it. */
  #later (work: Promise<unknown>): void {
    const returning = work
      .catch((error: Error) => { this.#deps.log.debug({ err: error.message }, 'a guess was not given back') })
      .finally(() => this.#returning.delete(returning))
    this.#returning.add(returning)
  }

  async close (): Promise<void> {
    await Promise.all(this.#returning)
    this.#counters.close()
  }

  /** The table says nothing about who tried to reach whom. With the key of the slot its counts begin anew, once in a slot. */
  #nameOf (email: string): string {
    const { keyring } = this.#deps
    return createHmac('sha256', deriveKey(keyring.signingKey('ft', keyring.now), 'throttle/address')).update(email).digest('base64url')
  }
}

/** One point, from the first that has one. @param tried gets those that were asked @returns which it was */
async function take (counters: readonly RateLimiterAbstract[], key: string, tried: RateLimiterAbstract[] = []): Promise<RateLimiterAbstract> {
  let waitMs = Infinity
  for (const counter of counters) {
    tried.push(counter)
    try {
      await counter.consume(key)
      return counter
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal
      waitMs = Math.min(waitMs, refusal.msBeforeNext)
    }
  }
  throw new AppError('too_many_requests', { retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)) })
}

/** What it takes to count in Redis is loaded only where there is one. */
export async function openLimits (deps: Deps & { pool: Pool, log: Log, config: { redisUrl?: string | undefined } }): Promise<Limits> {
  const { pool, log, config: { redisUrl } } = deps
  return new Limits(deps, redisUrl === undefined ? postgresCounters(pool) : (await import('./redis.ts')).redisCounters(redisUrl, log))
}
