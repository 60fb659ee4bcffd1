/** What was opened, to be closed in reverse whatever happens. Fits wherever a test's `t` does. */
export class Endings {
  readonly #works: (() => unknown)[] = []
  #ending: Promise<void> | undefined
  #closed = false

  teardown = (work: () => unknown): void => {
    this.#works.push(work)
    if (this.#closed) this.#closeAll() // what was being opened when all was closed
  }

  /** Whoever calls it waits until all is closed, also when somebody else has begun. */
  end (): Promise<void> {
    this.#ending ??= this.#closeAll()
    return this.#ending
  }

  async #closeAll (): Promise<void> {
    for (let work = this.#works.pop(); work; work = this.#works.pop()) {
      try { await work() } catch (error) { process.stderr.write(`while cleaning up: ${(error as Error).message}\n`) }
    }
    this.#closed = true
  }
}
