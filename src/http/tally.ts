export type RequestCount = { method: string, route: string, status: string, count: number }

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
const NO_ROUTE = '(none)'
const STATUSES = ['0xx', '1xx', '2xx', '3xx', '4xx', '5xx']

/**
 * What is counted as it happens, to be read by whoever scrapes. A request pays for a look-up in a Map; what a caller can
 * choose (paths, odd methods) makes no new entry.
 */
export class Tally {
  /** How many streams of the feed are open; whoever has them says so. */
  openStreams = (): number => 0
  /** Access tokens that were issued near the limit of their size. */
  largeTokens = 0
  /** By method and route, how many answers of each class. */
  readonly #answers = new Map<string, number[]>()

  count (method: string, route: string | undefined, status: number): void {
    const key = `${METHODS.has(method) ? method : 'other'} ${route ?? NO_ROUTE}`
    let classes = this.#answers.get(key)
    if (!classes) this.#answers.set(key, classes = STATUSES.map(() => 0))
    classes[Math.trunc(status / 100)]! += 1
  }

  get requests (): RequestCount[] {
    return [...this.#answers].flatMap(([key, classes]) => {
      const [method, route] = key.split(' ') as [string, string]
      return classes.flatMap((count, index) => count === 0 ? [] : [{ method, route, status: STATUSES[index]!, count }])
    })
  }
}
