/** What is known about the installation, for the sums below. Times in seconds. */
export type Facts = { now: number, installedAt: number, keySlotSeconds: number, users: number, furtherKeys: number, migrations: number }

/** What holds a table to its size: docs/state.md says the same, and a test holds both against the schema. */
export type Bound = {
  bound: string
  /** The most rows there can be, where that follows from something else. */
  allowed?: (facts: Facts) => number
}

/** Every table there is. A table that is not in here fails a test. */
export const BOUNDS: Readonly<Record<string, Bound>> = {
  users: { bound: 'users' },
  credential: { bound: 'users with a password', allowed: ({ users }) => users },
  refresh_spent: { bound: 'sessions refreshed or ended in the last SESSION_MAX_SECONDS and a day' },
  revocation: { bound: 'endings of the last ACCESS_TOKEN_TTL_SECONDS and 120 s; of keys for a day' },
  // Of each use one for each slot that began, and the next slot's.
  signing_key: { bound: 'three keys a slot; two a rotation, one a revocation', allowed: ({ now, installedAt, keySlotSeconds, furtherKeys }) => 3 * (Math.floor(now / keySlotSeconds) - Math.floor(installedAt / keySlotSeconds) + 2) + furtherKeys },
  client: { bound: 'services ever registered' },
  audit_event: { bound: 'events of the last AUDIT_RETENTION_SECONDS' },
  idempotency: { bound: 'requests with an Idempotency-Key in a day' },
  rate_limit: { bound: 'what was counted in the last 90 minutes' },
  installation: { bound: 'one row', allowed: () => 1 },
  _prisma_migrations: { bound: 'migrations', allowed: ({ migrations }) => migrations },
  pgboss: { bound: 'jobs under way and of the last day; failed mail for 14 days' },
}
