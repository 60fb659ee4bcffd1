export type Random = { (): number, pick: <T>(from: readonly T[]) => T | undefined, below: (limit: number) => number }

/** The same sequence for the same seed (mulberry32), so that a run that failed can be asked for again. */
export function seeded (seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let bits = Math.imul(state ^ (state >>> 15), state | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return ((bits ^ (bits >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (limit: number) => Math.floor(next() * limit)
  return Object.assign(next, { below, pick: <T>(from: readonly T[]) => from[below(from.length)] })
}
