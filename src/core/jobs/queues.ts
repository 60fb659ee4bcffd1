import type { Queue } from 'pg-boss'

/** Keeps its tables in a schema of its own, beside ours, with migrations of its own. */
export const SCHEMA = 'pgboss'

export const EMAIL_QUEUE = 'email'
export const DEAD_EMAIL_QUEUE = 'email-dead'
export const HOUSEKEEPING_QUEUE = 'housekeeping'

const MINUTE = 60
const DAY = 86_400

export const QUEUES: readonly ({ name: string } & Omit<Queue, 'name'>)[] = [
  { name: DEAD_EMAIL_QUEUE, retentionSeconds: 14 * DAY, deleteAfterSeconds: 14 * DAY },
  // Eight retries over some twenty minutes outlast a restart of a mail server. What fails for good waits to be seen, and can be sent again.
  { name: EMAIL_QUEUE, retryLimit: 8, retryDelay: 5, retryBackoff: true, expireInSeconds: 60, heartbeatSeconds: 15, retentionSeconds: 3 * DAY, deleteAfterSeconds: DAY, deadLetter: DEAD_EMAIL_QUEUE },
  // One at a time in the whole cluster. What one does not get done, the next goes on with.
  { name: HOUSEKEEPING_QUEUE, policy: 'singleton', retryLimit: 0, expireInSeconds: 15 * MINUTE, heartbeatSeconds: 15, retentionSeconds: 60 * MINUTE, deleteAfterSeconds: DAY },
]

/** UTC. One node of the cluster makes the job, any does it. */
export const SCHEDULES: readonly { queue: string, cron: string }[] = [
  { queue: HOUSEKEEPING_QUEUE, cron: '*/10 * * * *' },
]
