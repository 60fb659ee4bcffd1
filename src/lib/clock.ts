/** The node's clock. It decides when a token has expired; everything that two nodes must agree on takes the database's time. */
export type Clock = {
  /** Milliseconds since the epoch. */
  now: () => number
}

export const systemClock: Clock = { now: () => Date.now() }
