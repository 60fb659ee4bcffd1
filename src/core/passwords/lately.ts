const SPAN_MS = 60_000
/** Addresses; half an hour of one processor. Twice that is kept at most. */
const MOST = 100_000

/** How often each had its turn in the last one to two minutes. */
export class Lately {
  readonly #now: () => number
  #since: number
  #present = new Map<string, number>()
  #past = new Map<string, number>()

  constructor (now = () => performance.now()) {
    this.#now = now
    this.#since = now()
  }

  note (name: string): void {
    this.#turnOver()
    this.#present.set(name, (this.#present.get(name) ?? 0) + 1)
  }

  count (name: string): number {
    this.#turnOver()
    return (this.#present.get(name) ?? 0) + (this.#past.get(name) ?? 0)
  }

  #turnOver (): void {
    const age = this.#now() - this.#since
    if (age < SPAN_MS && this.#present.size < MOST) return
    this.#past = age < 2 * SPAN_MS ? this.#present : new Map()
    this.#present = new Map()
    this.#since = this.#now()
  }
}
