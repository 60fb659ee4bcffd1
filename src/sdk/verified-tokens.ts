/** Two generations of this many: measured, 13 MB of usual tokens with their answers, 27 MB of the largest that the default budget allows. */
const GENERATION = 5_000

/** A Map reads all of a text once to place it, which for a whole token costs more than the rest of the look-up. The end of one is its signature, which nobody chooses. */
const ENDING = 32

type Remembered<Verified> = { readonly token: string, readonly verified: Verified }

/**
 * Access tokens whose signature was found good in this process, so that it is checked once in their life and not once a request.
 * A signature stays good for ever; what does not (time, the key, endings) is asked anew at every use by whoever reads this. A token is known by
 * all of its characters: another spelling is another token.
 *
 * The older generation is dropped when the younger is full: what is in use comes back, and whoever sends many tokens empties nothing but this.
 */
export class VerifiedTokens<Verified extends { readonly claims: object }> {
  #young = new Map<string, Remembered<Verified>>()
  #old = new Map<string, Remembered<Verified>>()
  readonly #generation: number

  constructor (generation = GENERATION) { this.#generation = generation }

  get size (): number { return this.#young.size + this.#old.size }

  find (token: string): Verified | undefined {
    const ending = token.slice(-ENDING)
    const young = this.#young.get(ending)
    if (young) return young.token === token ? young.verified : undefined
    const old = this.#old.get(ending)
    if (old?.token !== token) return undefined
    this.#old.delete(ending)
    this.#insert(ending, old)
    return old.verified
  }

  /** Requests share the claims from now on, so nobody can change them any more. */
  remember (token: string, verified: Verified): void {
    frozen(verified.claims)
    this.#insert(token.slice(-ENDING), { token, verified })
  }

  forget (token: string): void {
    this.#young.delete(token.slice(-ENDING))
    this.#old.delete(token.slice(-ENDING))
  }

  #insert (ending: string, remembered: Remembered<Verified>): void {
    if (this.#young.size >= this.#generation) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(ending, remembered)
  }
}

/** Claims are what JSON can say: a tree. */
function frozen<T> (value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) Object.values(Object.freeze(value)).forEach(frozen)
  return value
}
