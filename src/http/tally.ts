import type { ErrorCode } from '../errors.ts'
import { Histogram, type Distribution } from '../lib/histogram.ts'

type RequestCount = { method: string, route: string, status: string, count: number }

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
const NO_ROUTE = '(none)'
const STATUSES = ['0xx', '1xx', '2xx', '3xx', '4xx', '5xx']
const SECONDS = [0.005, 0.025, 0.1, 0.5, 2.5]
const TOKEN_BYTES = [512, 768, 1024, 1536, 2048, 4096]

/** What came of an attempt: `ok`, the code of its error, or `reuse`, where that error says less than is known here. */
export type Outcome = 'ok' | 'reuse' | ErrorCode
/**
 * What a route may be an attempt at, and what is told apart of how it ends: there from the start, so that the first one is an increase.
 * What is not in the list is `other`: mostly what was no attempt, such as a body of another form.
 */
const ATTEMPTS = {
  sign_ins: ['ok', 'invalid_credentials', 'email_not_verified', 'too_many_requests', 'login_busy', 'database_unavailable', 'internal', 'other'],
  refreshes: ['ok', 'session_ended', 'reuse', 'no_session', 'too_many_requests', 'database_unavailable', 'internal', 'other'],
} as const satisfies Record<string, readonly (Outcome | 'other')[]>
export type Attempt = keyof typeof ATTEMPTS

/** What became of a token that was verified. `unavailable`: this node has no keys at all. */
export const VERDICTS = ['accepted', 'malformed', 'unknown_key', 'invalid', 'expired', 'revoked', 'unavailable'] as const
export type Verdict = typeof VERDICTS[number]
const none = (): Record<Verdict, number> => ({ accepted: 0, malformed: 0, unknown_key: 0, invalid: 0, expired: 0, revoked: 0, unavailable: 0 })

/**
 * What is counted as it happens, to be read by whoever scrapes. A request pays for a look-up in a Map; what a caller can
 * choose (paths, odd methods) makes no new entry.
 */
export class Tally {
  /** How many streams of the feed are open; whoever has them says so. */
  openStreams = (): number => 0
  /** Access tokens that were issued near the limit of their size. */
  largeTokens = 0
  /** Bytes of the access tokens that were issued. */
  readonly tokenBytes = new Histogram(TOKEN_BYTES)
  /** By whether a cache of verified tokens answered, and by outcome. */
  readonly verifications = { hit: none(), miss: none() }
  /** By route and method, how many answers of each class, and how long they took. */
  readonly #answers = new Map<string, Map<string, { classes: number[], seconds: Histogram }>>()
  readonly #attempts = Object.fromEntries(Object.entries(ATTEMPTS).map(([attempt, outcomes]) =>
    [attempt, new Map<Outcome | 'other', number>(outcomes.map(outcome => [outcome, 0]))])) as Record<Attempt, Map<Outcome | 'other', number>>

  count (method: string, route: string | undefined, status: number, seconds: number): void {
    let methods = this.#answers.get(route ?? NO_ROUTE)
    if (!methods) this.#answers.set(route ?? NO_ROUTE, methods = new Map())
    let answers = methods.get(method)
    if (!answers) {
      const known = METHODS.has(method) ? method : 'other'
      answers = methods.get(known)
      if (!answers) methods.set(known, answers = { classes: STATUSES.map(() => 0), seconds: new Histogram(SECONDS) })
    }
    answers.classes[Math.trunc(status / 100)]! += 1
    answers.seconds.observe(seconds)
  }

  attempted (attempt: Attempt, outcome: Outcome): void {
    const outcomes = this.#attempts[attempt]
    const told = outcomes.has(outcome) ? outcome : 'other'
    outcomes.set(told, outcomes.get(told)! + 1)
  }

  verified (verdict: Verdict, cache: 'hit' | 'miss' = 'miss'): void { this.verifications[cache][verdict]++ }

  get requests (): RequestCount[] {
    return this.#each().flatMap(({ method, route, classes }) =>
      classes.flatMap((count, index) => count === 0 ? [] : [{ method, route, status: STATUSES[index]!, count }]))
  }

  get durations (): { method: string, route: string, seconds: Distribution }[] {
    return this.#each().map(({ method, route, seconds }) => ({ method, route, seconds: seconds.read() }))
  }

  #each () { return [...this.#answers].flatMap(([route, methods]) => [...methods].map(([method, answers]) => ({ method, route, ...answers }))) }

  outcomes (attempt: Attempt): [outcome: string, count: number][] { return [...this.#attempts[attempt]] }
}
