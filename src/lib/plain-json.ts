/** Members that mean something to JavaScript: whoever copies an object by assignment would change another one. */
const isOfPrototypes = (name: string): boolean => name in Object.prototype || name === 'prototype'

/** PostgreSQL cannot store a NUL in jsonb; half a surrogate pair changes when it is written. */
const isPlainText = (text: string): boolean => text.isWellFormed() && !text.includes('\0')

export const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Is this JSON that comes back from the database, and goes through anybody's program, as it was? Objects within objects count as depth.
 * @returns what is wrong, to follow the name of the value; null when nothing is
 */
export function jsonFault (value: unknown, maxDepth: number): string | null {
  if (typeof value === 'string') return isPlainText(value) ? null : 'has a NUL or half a surrogate pair'
  if (typeof value === 'number') return Number.isFinite(value) ? null : 'has a number that is too large'
  if (typeof value === 'boolean' || value === null) return null
  if (typeof value !== 'object') return 'is not JSON'
  if (maxDepth === 0) return 'is nested too deeply'
  for (const [name, member] of Object.entries(value)) {
    if (!isPlainText(name)) return 'has a NUL or half a surrogate pair'
    if (!Array.isArray(value) && isOfPrototypes(name)) return `has a member "${name}", which is no name for one`
    const fault = jsonFault(member, maxDepth - 1)
    if (fault) return fault
  }
  return null
}
