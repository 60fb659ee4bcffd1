import type { Db } from '../../db/client.ts'
import type { Jobs } from '../jobs/jobs.ts'
import { EMAIL_QUEUE } from '../jobs/queues.ts'
import type { Mail } from './mail.ts'

/** Writes the job that sends it, in the transaction of what the mail is about where `db` is one. */
export async function enqueueMail ({ db, jobs }: { db: Db, jobs: Jobs }, mail: Mail): Promise<void> {
  await jobs.send(db, EMAIL_QUEUE, mail)
}
