import type { Context } from '../context.ts'
import type { Job } from '../core/jobs/jobs.ts'
import { EMAIL_QUEUE, HOUSEKEEPING_QUEUE } from '../core/jobs/queues.ts'
import type { Mail } from '../core/mail/mail.ts'
import { loadTemplates } from '../core/mail/templates.ts'
import { openTransport } from '../core/mail/transport.ts'
import { keepHouse } from './housekeeping.ts'
import { startPurging } from './purge.ts'
import { sendMail } from './send-mail.ts'

/** Whoever asked for a link waits for it. */
const MAIL_POLL_SECONDS = 2
const HOUSEKEEPING_POLL_SECONDS = 60

/**
 * What this process does beside answering: its share of the jobs, and purges.
 * @returns how to stop it: nothing new is begun, what is being done is finished
 * @throws StartError where a template of mail does not do
 */
export async function startJobs (ctx: Context, { mailPollSeconds = MAIL_POLL_SECONDS } = {}): Promise<{ stop: () => Promise<void> }> {
  const deps = { ...ctx, templates: await loadTemplates(ctx.config.mailTemplates), transport: openTransport(ctx.config) }
  const purging = startPurging(ctx)
  ctx.jobs.start([
    { queue: EMAIL_QUEUE, pollSeconds: mailPollSeconds, work: async (job: Job<Mail>) => await sendMail(deps, job) },
    { queue: HOUSEKEEPING_QUEUE, pollSeconds: HOUSEKEEPING_POLL_SECONDS, work: async ({ signal }: Job<object>) => await keepHouse(ctx, signal) },
  ])
  return {
    stop: async () => {
      purging.stop()
      await ctx.jobs.stop()
    },
  }
}
