/** How often values fell below each bound, and their sum; the last count is of those above all bounds. Adds up over processes. */
export type Distribution = { bounds: readonly number[], counts: number[], sum: number }

/** A few comparisons and two additions a value: cheap enough for what happens at every request. */
export class Histogram implements Distribution {
  readonly bounds: readonly number[]
  readonly counts: number[]
  sum = 0

  /** @param bounds ascending, each inclusive */
  constructor (bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = Array<number>(bounds.length + 1).fill(0)
  }

  observe (value: number): void {
    let at = 0
    while (at < this.bounds.length && value > this.bounds[at]!) at++
    this.counts[at]!++
    this.sum += value
  }

  read (): Distribution { return { bounds: this.bounds, counts: [...this.counts], sum: this.sum } }
}
