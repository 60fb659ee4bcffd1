import { Jobs } from '../core/jobs/jobs.ts'
import { DEAD_EMAIL_QUEUE } from '../core/jobs/queues.ts'
import { MISUSED, type Command } from './command.ts'
import { withDatabase } from './with-database.ts'

/** What was given up is tried again by the nodes that run, once what was wrong has been mended. */
export const mail: Command = async ([what], env) => {
  if (what !== 'resend') return MISUSED
  return await withDatabase(env, async ({ pool, log }) => {
    const moved = await new Jobs({ pool, log }).redrive(DEAD_EMAIL_QUEUE)
    process.stdout.write(`${moved} ${moved === 1 ? 'mail is' : 'mails are'} sent again\n`)
    return 0
  })
}
