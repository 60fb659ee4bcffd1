const MOST = 16

/**
 * How much of one address's is being worked on at once in this process, before it costs a query: a flood of it would otherwise hold every connection to the
 * database, and everybody else would wait behind it until their patience ends.
 */
export class AtOnce {
  readonly #running = new Map<string, number>()

  /** @returns null, and nothing is done, where that address has enough on its way. What a client gives up counts until it is really over. */
  run<T> (address: string, work: () => Promise<T>): Promise<T> | null {
    const running = this.#running.get(address) ?? 0
    if (running >= MOST) return null
    this.#running.set(address, running + 1)
    return work().finally(() => {
      const left = this.#running.get(address)! - 1
      if (left > 0) this.#running.set(address, left)
      else this.#running.delete(address)
    })
  }
}
