import type { Context, VerifierContext } from '../context.ts'
import type { RequestCount, Tally } from '../http/tally.ts'

/** Mail of the whole cluster: waiting to be sent, and `dead`, which is tried no more. Null where it was not counted. */
export type MailCounts = { waiting: number, dead: number } | null

/** What one process has to say when it is asked. */
export type Reading = { stalenessSeconds: number, entries: number, streams: number, largeTokens: number, breachChecksFailed: number, keysAgeSeconds: number, requests: RequestCount[], mail: MailCounts }

export const readingOf = ({ clock, revocations, keyring, breached }: Pick<VerifierContext, 'clock' | 'revocations' | 'keyring'> & Partial<Pick<Context, 'breached'>>, tally: Tally, mail: MailCounts): Reading => ({
  // The database's time against this node's clock: a clock that is behind must not make the feed look fresher than now.
  stalenessSeconds: revocations.ready ? Math.max(0, clock.now() / 1000 - revocations.asOf) : Infinity,
  entries: revocations.size,
  streams: tally.openStreams(),
  largeTokens: tally.largeTokens,
  keysAgeSeconds: (performance.now() - keyring.readAt) / 1000,
  breachChecksFailed: breached?.failures ?? 0,
  requests: tally.requests,
  mail,
})

/** Several processes as one node: what is late is as late as with the latest, what is counted adds up. */
export function combine (readings: readonly Reading[]): Reading {
  const most = (pick: (reading: Reading) => number) => Math.max(0, ...readings.map(pick))
  const sums = new Map<string, RequestCount>()
  for (const request of readings.flatMap(({ requests }) => requests)) {
    const key = `${request.method} ${request.route} ${request.status}`
    sums.set(key, { ...request, count: request.count + (sums.get(key)?.count ?? 0) })
  }
  return {
    stalenessSeconds: most(reading => reading.stalenessSeconds),
    entries: most(reading => reading.entries),
    streams: readings.reduce((sum, { streams }) => sum + streams, 0),
    largeTokens: readings.reduce((sum, { largeTokens }) => sum + largeTokens, 0),
    keysAgeSeconds: most(reading => reading.keysAgeSeconds),
    breachChecksFailed: readings.reduce((sum, { breachChecksFailed }) => sum + breachChecksFailed, 0),
    requests: [...sums.values()],
    // Of the cluster, whoever counted it.
    mail: readings.find(({ mail }) => mail !== null)?.mail ?? null,
  }
}
