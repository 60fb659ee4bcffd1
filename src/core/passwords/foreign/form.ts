/** What a line of an import says about a password: the string that the other system stored, or its parts by name. */
export type GivenHash = string | Readonly<Record<string, unknown>>

/** Whether this is the password, by another system's rules; costs what `Foreign.open` allowed. */
export type Check = (password: string) => Promise<boolean>

/** One algorithm of other systems. What is stored is one string that says everything its check needs. */
export type Foreign = {
  /**
   * What other systems write, in the one form that is stored here.
   * @returns undefined where that is another algorithm; null where it is this one, and not as it is written
   */
  read: (given: GivenHash) => string | null | undefined
  /**
   * The check of a stored string. Its cost is bounded here, before anything is computed: a row may be hostile.
   * @returns null where it is not this algorithm's; 'costly' where checking it would hold up a node
   */
  open: (stored: string) => Check | 'costly' | null
}

/** The parts by name where they are this algorithm's, and nothing but them. */
export function partsOf (given: GivenHash, algorithms: readonly string[], names: readonly string[]): Readonly<Record<string, unknown>> | null | undefined {
  if (typeof given === 'string') return undefined
  const { algorithm } = given
  if (typeof algorithm !== 'string' || !algorithms.includes(algorithm)) return undefined
  return Object.keys(given).every(name => name === 'algorithm' || names.includes(name)) ? given : null
}
