import type { Context } from '../context.ts'
import type { Attempts, Job, QueueCounts } from '../core/jobs/jobs.ts'
import { EMAIL_QUEUE, HOUSEKEEPING_QUEUE } from '../core/jobs/queues.ts'
import { startLoop } from '../core/loop.ts'
import type { Mail } from '../core/mail/mail.ts'
import { loadTemplates } from '../core/mail/templates.ts'
import { openTransport } from '../core/mail/transport.ts'
import { traced } from '../trace.ts'
import { keepHouse } from './housekeeping.ts'
import { startPurging } from './purge.ts'
import { sendMail } from './send-mail.ts'

/** Whoever asked for a link waits for it. */
const MAIL_POLL_SECONDS = 2
const HOUSEKEEPING_POLL_SECONDS = 60
const COUNT_EVERY_MS = 30_000

/** For the metrics. */
type JobsReading = {
  /** Of the whole cluster; empty where it could not be counted. */
  queues: readonly QueueCounts[]
  attempts: ReadonlyMap<string, Attempts>
  /** When this process last did all of the housekeeping, in milliseconds; null: not yet. */
  keptHouseAt: number | null
}

/**
 * What this process does beside answering: its share of the jobs, and purges.
 * @returns how to stop it: nothing new is begun, what is being done is finished
 * @throws StartError where a template of mail does not do
 */
export async function startJobs (ctx: Context, { mailPollSeconds = MAIL_POLL_SECONDS } = {}): Promise<{ read: () => JobsReading, stop: () => Promise<void> }> {
  const templates = await loadTemplates(ctx.config.mailTemplates)
  const transport = openTransport(ctx.config)
  const deps = { ...ctx, templates, transport }
  const purging = startPurging(ctx)
  let keptHouseAt: number | null = null
  let queues: readonly QueueCounts[] = []
  ctx.jobs.start([
    { queue: EMAIL_QUEUE, pollSeconds: mailPollSeconds, work: async (job: Job<Mail>) => await traced({ name: `mail ${job.data.kind}`, attributes: { attempt: job.attempt }, root: true }, async () => await sendMail(deps, job)) },
    { queue: HOUSEKEEPING_QUEUE, pollSeconds: HOUSEKEEPING_POLL_SECONDS, work: async ({ signal }: Job<object>) => await traced({ name: 'housekeeping', root: true }, async () => await keepHouse(ctx, signal)).then(() => { keptHouseAt = ctx.clock.now() }) },
  ])
  const counting = startLoop(1_000, async () => {
    try { queues = await ctx.jobs.counts() } catch { queues = [] }
    return COUNT_EVERY_MS
  })
  return {
    read: () => ({ queues, attempts: ctx.jobs.attempts, keptHouseAt }),
    stop: async () => {
      purging.stop()
      counting.stop()
      await ctx.jobs.stop()
      transport.close()
    },
  }
}
