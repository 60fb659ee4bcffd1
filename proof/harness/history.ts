import type { Agent } from 'node:http'

/** What a client knows. Instants are of this process's monotonic clock, in milliseconds. */
export type User = {
  email: string, password: string, agent: Agent
  sessions: Set<Session>
  /** Sign-ins under way; nobody signs out everywhere meanwhile, because nobody could say which came first. */
  signingIn: number
  endingAll: boolean
}

/** One page or app window. Its access token is its own. */
export type Tab = { accessToken: string, expiresAt: number }

export type Session = {
  user: User
  /** Pages of one browser share the cookie; an app has it in memory and refreshes one at a time. */
  delivery: 'cookie' | 'body'
  refreshToken: string
  tabs: Tab[]
  refreshing: number
  refreshedAt: number
  /** Somebody was asked to end it; from here on a refusal is no surprise. */
  endRequestedAt: number
  /** The ending was acknowledged; from here on an acceptance would be. */
  endedAt: number
  endedBy?: 'logout' | 'logout-all'
  /** The security tables were emptied after its ending: its access tokens may be accepted until they expire, and a logout may be undone. */
  forgotten: boolean
  /** It was refused, or the model cannot tell any more: nothing more is done with it. */
  over: boolean
  /** What was done with it last, for whoever has to find out why. */
  trace: string[]
}

export const newTab = (): Tab => ({ accessToken: '', expiresAt: 0 })

const TRACE = 24
export function note (session: Session, line: string): void {
  session.trace.push(`${(performance.now() / 1000).toFixed(3)} ${line}`)
  if (session.trace.length > TRACE) session.trace.shift()
}

/** Everybody who signed up, and every session that was ever acknowledged. Judged when the run is over. */
export class History {
  readonly users: User[] = []
  readonly sessions: Session[] = []
  /** Sessions in use, the longest not refreshed first. */
  readonly inUse: Session[] = []
  readonly #most: number

  constructor (most: number) { this.#most = most }

  /** The oldest in use is laid aside, like a device in a drawer: it must still be good at the end. */
  add (session: Session): void {
    session.user.sessions.add(session)
    this.sessions.push(session)
    this.inUse.push(session)
    if (this.inUse.length > this.#most) this.inUse.shift()
  }

  drop (session: Session): void {
    const at = this.inUse.indexOf(session)
    if (at >= 0) this.inUse.splice(at, 1)
  }

  /** Sessions that can be used now, by when they were refreshed; the one taken goes to the end of the line. */
  nextToRefresh (): Session | undefined {
    const at = this.inUse.findIndex(({ refreshing, endRequestedAt }) => refreshing === 0 && endRequestedAt === Infinity)
    const [session] = at < 0 ? [] : this.inUse.splice(at, 1)
    if (session) this.inUse.push(session)
    return session
  }
}
