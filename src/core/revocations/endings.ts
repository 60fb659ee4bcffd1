import type { FeedState } from './feed.ts'

/** The parts of an access token that an ending can name. */
export type Revocable = { sid?: string, jti: string, sub: string, ver?: number, iat: number }

/** What has ended, to ask and to pass on: a copy of the table (Revocations), or of an upstream's feed. */
export type Endings = {
  /** Has it been read at all? */
  readonly ready: boolean
  /** Database time of the newest snapshot, in seconds: how stale an answer is. */
  readonly asOf: number
  /** When the source last answered, on this process's monotonic clock, in milliseconds. */
  readonly readAt: number
  readonly size: number
  /** Grows whenever something more has ended: a token held against all of it is not held against it again until then. */
  readonly revision: number
  /** The feed as it can be served, from memory. */
  readonly state: FeedState
  isRevoked: (token: Revocable, kid: string) => boolean
  /** Calls back after each read, and says whether it brought anything. @returns how to stop that */
  onRead: (listener: (changed: boolean) => void) => () => void
  /**
   * Reads what is new, now. Overlapping calls share a run.
   * @param xmin what somebody else has read up to; where reads go to different nodes, one more may be needed to get there
   */
  poll: (xmin?: bigint) => Promise<void>
}
