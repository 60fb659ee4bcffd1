const PHC = /^\$argon2id\$v=19\$m=(\d{1,10}),(?:t=(\d{1,4}),p=(\d{1,3})|p=(\d{1,3}),t=(\d{1,4}))\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,171})$/

export type PhcParameters = { memoryKib: number, passes: number, lanes: number }

/**
 * The parameters of a stored hash, or null when it is not one we would have written. They say how much memory and time a
 * verification takes, so a corrupt or hostile row (m=2^32-1) must be refused before argon2 sees it.
 */
export function parsePhc (stored: string): PhcParameters | null {
  const match = PHC.exec(stored)
  if (!match) return null
  const [memoryKib, passes, lanes] = [match[1], match[2] ?? match[5], match[3] ?? match[4]].map(Number) as [number, number, number]
  const bounded = memoryKib >= 8 * lanes && memoryKib <= 1_048_576 && passes >= 1 && passes <= 20 && lanes >= 1 && lanes <= 8
  return bounded ? { memoryKib, passes, lanes } : null
}

/** The salt of a stored hash, or null when it is not one we would have written. */
export function saltOf (stored: string): Buffer | null {
  const salt = PHC.exec(stored)?.[6]
  return salt === undefined ? null : Buffer.from(salt, 'base64')
}
