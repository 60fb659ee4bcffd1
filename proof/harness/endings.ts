/** What was opened, to be closed in reverse whatever happens. Fits wherever a test's `t` does. */
export class Endings {
  readonly #works: (() => unknown)[] = []

  teardown = (work: () => unknown): void => { this.#works.push(work) }

  async end (): Promise<void> {
    for (const work of this.#works.splice(0).toReversed()) {
      try { await work() } catch (error) { process.stderr.write(`while cleaning up: ${(error as Error).message}\n`) }
    }
  }
}
