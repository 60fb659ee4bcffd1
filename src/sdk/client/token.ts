import type { Tokens } from './types.ts'

export type Token = {
  value: string
  sub: string
  sid: string
  /** Seconds until it expires. */
  left: () => number
  /** Seconds until it should be replaced. */
  dueIn: () => number
  /** Good enough to send. */
  isGood: () => boolean
}

/** When something was: a wall clock can be set, and the other one stops on some machines while they sleep. Whichever went further is believed. */
export type Moment = { wall: number, steady: number }
export const now = (): Moment => ({ wall: Date.now(), steady: performance.now() })
const secondsSince = ({ wall, steady }: Moment): number => Math.max(0, Date.now() - wall, performance.now() - steady) / 1000

/** `exp` is the server's time; only what is left of it, `expires_in`, means anything here. @param asked before the answer was on its way */
export function tokenOf ({ access_token: value, expires_in: life }: Tokens, asked: Moment): Token {
  const { sub, sid } = claimsOf(value)
  const due = life * (0.75 + 0.15 * Math.random()) // tabs do not come all at once
  const left = () => life - secondsSince(asked)
  return { value, sub, sid, left, dueIn: () => due - secondsSince(asked), isGood: () => left() > Math.min(5, life / 10) }
}

/** Not verified: it came from the service. Said here is only whose it is. */
function claimsOf (token: string): { sub: string, sid: string } {
  const bytes = Uint8Array.from(atob(token.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/')), char => char.charCodeAt(0))
  return JSON.parse(new TextDecoder().decode(bytes)) as { sub: string, sid: string }
}
