import type { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { exchange, type Answer } from './http.ts'
import type { Kind, Tally } from './tally.ts'

/** A client tries for so long, and then gives up: that is a non-retryable error. */
const BOUND_MS = 30_000

export type Asked = {
  /** Null: never answered within the bound. */
  answer: Answer | null
  /** An earlier try may have taken effect: it got no answer, or one that does not tell. */
  retried: boolean
  firstSentAt: number
  answeredAt: number
}
type Try = { headers?: Record<string, string>, body?: object }

export const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })

/**
 * The documented rules and nothing else (docs/errors.md, docs/tokens.md): after a network error, 429 or 503 wait (for Retry-After where there is
 * one), then send the same again. 502 and 504 come from the balancer when a node broke off: a network error with a face.
 */
export class Client {
  readonly #url: string
  readonly #tally: Tally
  /** Tries that wait or are under way. */
  inFlight = 0

  constructor (url: string, tally: Tally) { this.#url = url; this.#tally = tally }

  /** @param make is called for each try: a browser attaches the cookie that it has at that moment */
  async ask (kind: Kind, [method, path]: readonly [string, string], agent: Agent, make: () => Try): Promise<Asked> {
    this.#tally.request(kind)
    this.inFlight++
    const firstSentAt = performance.now()
    try {
      for (let attempt = 1; ; attempt++) {
        const { headers, body } = make()
        const outcome = await exchange({ method, url: this.#url + path, agent, body, ...(headers && { headers }) }).catch((error: NodeJS.ErrnoException) => error)
        const again = comeAgain(outcome)
        if (again === null) return { answer: outcome as Answer, retried: attempt > 1, firstSentAt, answeredAt: performance.now() }
        if (attempt === 1) this.#tally.firstTryFailed(again.reason)
        if (performance.now() - firstSentAt + again.afterMs > BOUND_MS) {
          this.#tally.fault('non-retryable error', `${kind}: no success within ${BOUND_MS / 1000} s, last ${again.reason}`)
          return { answer: null, retried: true, firstSentAt, answeredAt: performance.now() }
        }
        await sleep(again.afterMs)
      }
    } finally { this.inFlight-- }
  }
}

function comeAgain (outcome: Answer | NodeJS.ErrnoException): { reason: string, afterMs: number } | null {
  const soon = 100 + Math.random() * 300
  if (outcome instanceof Error) return { reason: outcome.code ?? outcome.message, afterMs: soon }
  const { status, headers, json } = outcome
  if (status === 502 || status === 504) return { reason: `${status} of the balancer`, afterMs: soon }
  if (status !== 503 && status !== 429) return null
  const seconds = Number(headers['retry-after'])
  return { reason: json === null ? `${status} of the balancer` : `${status} ${json.code}`, afterMs: Number.isFinite(seconds) ? seconds * 1000 + Math.random() * 200 : soon }
}
