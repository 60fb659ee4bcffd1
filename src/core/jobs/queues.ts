import type { Queue } from 'pg-boss'

/** Keeps its tables in a schema of its own, beside ours, with migrations of its own. */
export const SCHEMA = 'pgboss'

const DAY = 86_400

/** Eight attempts over some twenty minutes outlast a restart of a mail server; what fails for good waits in `email-dead` to be seen, and can be sent again. */
export const QUEUES: readonly ({ name: string } & Omit<Queue, 'name'>)[] = [
  { name: 'email-dead', retentionSeconds: 14 * DAY, deleteAfterSeconds: 14 * DAY },
  { name: 'email', retryLimit: 8, retryDelay: 5, retryBackoff: true, expireInSeconds: 60, heartbeatSeconds: 15, retentionSeconds: 3 * DAY, deleteAfterSeconds: DAY, deadLetter: 'email-dead' },
]
