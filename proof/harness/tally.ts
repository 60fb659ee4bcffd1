export const KINDS = ['verify', 'refresh', 'sign-in', 'sign-up', 'logout', 'logout-all', 'me'] as const
export type Kind = typeof KINDS[number]

type Fault = 'lost session' | 'non-retryable error' | 'acknowledged write lost'
const EXAMPLES = 12

/** What a run counts. The first three figures must be 0. */
export class Tally {
  readonly requests = new Map<Kind, number>()
  /** Requests whose first try got no answer, or one that says to come again, by what that was. */
  readonly firstTryFailures = new Map<string, number>()
  readonly faults: Record<Fault, number> = { 'lost session': 0, 'non-retryable error': 0, 'acknowledged write lost': 0 }
  readonly examples: string[] = []

  request (kind: Kind): void { this.requests.set(kind, (this.requests.get(kind) ?? 0) + 1) }
  firstTryFailed (reason: string): void { this.firstTryFailures.set(reason, (this.firstTryFailures.get(reason) ?? 0) + 1) }

  fault (fault: Fault, detail: string): void {
    this.faults[fault]++
    if (this.examples.length < EXAMPLES) this.examples.push(`${fault}: ${detail}`)
  }

  get total (): number { return sum(this.requests) }
  get failedFirst (): number { return sum(this.firstTryFailures) }
}

const sum = (counts: ReadonlyMap<unknown, number>): number => [...counts.values()].reduce((total, count) => total + count, 0)
