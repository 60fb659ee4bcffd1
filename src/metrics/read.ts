import type { Context, VerifierContext } from '../context.ts'
import { VERDICTS, type Tally } from '../http/tally.ts'
import type { FamilyName } from './families.ts'
import type { Reading, Sample } from './reading.ts'

/** What other parts of the process say of themselves; absent where there is no database. */
export type Jobs = {
  queues: readonly { queue: string, queued: number, failed: number }[]
  attempts: ReadonlyMap<string, Record<string, number>>
  keptHouseAt: number | null
}
export type Connections = { total: number, idle: number, waiting: number }

type Sources = {
  ctx: Pick<VerifierContext, 'clock' | 'revocations' | 'keyring'> & Partial<Pick<Context, 'breached' | 'passwords'>>
  tally: Tally
  jobs?: Jobs | undefined
  connections?: Connections | undefined
}

const one = (value: number): Sample[] => [{ labels: [], value }]
const by = <T>(items: Iterable<T>, pick: (item: T) => [labels: string[], value: Sample['value']]): Sample[] =>
  [...items].map(item => { const [labels, value] = pick(item); return { labels, value } })

/** What a process counts and holds, at this moment. */
export const readingOf = ({ ctx, tally, jobs, connections }: Sources): Reading => ({
  stateless_auth_workers: one(1),
  stateless_auth_verifications_total: [...verifications(tally, 'miss'), ...verifications(tally, 'hit').filter(({ value }) => value !== 0)],
  stateless_auth_http_requests_total: by(tally.requests, ({ method, route, status, count }) => [[method, route, status], count]),
  stateless_auth_http_request_duration_seconds: by(tally.durations, ({ method, route, seconds }) => [[method, route], seconds]),
  ...feed(ctx, tally),
  ...ctx.passwords && {
    stateless_auth_sign_ins_total: by(tally.outcomes('sign_ins'), ([outcome, count]) => [[outcome], count]),
    stateless_auth_refreshes_total: by(tally.outcomes('refreshes'), ([outcome, count]) => [[outcome], count]),
    stateless_auth_access_token_bytes: [{ labels: [], value: tally.tokenBytes.read() }],
    stateless_auth_large_tokens_total: one(tally.largeTokens),
    ...hashing(ctx.passwords),
  },
  ...ctx.breached && { stateless_auth_breach_checks_failed_total: one(ctx.breached.failures) },
  ...jobs && work(jobs),
  ...connections && {
    stateless_auth_database_connections: [{ labels: ['in_use'], value: connections.total - connections.idle }, { labels: ['idle'], value: connections.idle }],
    stateless_auth_database_waiting: one(connections.waiting),
  },
})

const verifications = ({ verifications }: Tally, cache: 'hit' | 'miss'): Sample[] => by(VERDICTS, verdict => [[verdict, cache], verifications[cache][verdict]])

const feed = ({ clock, revocations, keyring }: Sources['ctx'], tally: Tally) => ({
  // The database's time against this node's clock: a clock that is behind must not make the feed look fresher than now.
  stateless_auth_feed_staleness_seconds: one(revocations.ready ? Math.max(0, clock.now() / 1000 - revocations.asOf) : Infinity),
  stateless_auth_feed_entries: one(revocations.size),
  stateless_auth_feed_streams: one(tally.openStreams()),
  stateless_auth_keys_age_seconds: one((performance.now() - keyring.readAt) / 1000),
  ...keyring.ages && keys(keyring.ages()),
})

function keys (ages: readonly { use: string, age: number, untilNext: number }[]) {
  return {
    stateless_auth_signing_key_age_seconds: by(ages, ({ use, age }) => [[use], age]),
    stateless_auth_signing_key_rotation_seconds: by(ages, ({ use, untilNext }) => [[use], untilNext]),
  }
}

const hashing = ({ queue }: Context['passwords']) => ({
  stateless_auth_password_hashes_waiting: one(queue.waiting),
  stateless_auth_password_hashes_running: one(queue.running),
  stateless_auth_password_hash_wait_seconds: [{ labels: [], value: queue.waited.read() }],
  stateless_auth_password_hash_duration_seconds: [{ labels: [], value: queue.took.read() }],
})

const work = ({ queues, attempts, keptHouseAt }: Jobs): Partial<Record<FamilyName, Sample[]>> => ({
  stateless_auth_jobs_queued: by(queues, ({ queue, queued }) => [[queue], queued]),
  stateless_auth_jobs_failed: by(queues, ({ queue, failed }) => [[queue], failed]),
  stateless_auth_job_attempts_total: [...attempts].flatMap(([queue, outcomes]) => by(Object.entries(outcomes), ([outcome, count]) => [[queue, outcome], count])),
  ...keptHouseAt !== null && { stateless_auth_housekeeping_last_success_timestamp_seconds: one(keptHouseAt / 1000) },
})
