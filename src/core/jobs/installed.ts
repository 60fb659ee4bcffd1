import { hash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { readMark, writeMark } from '../../db/schema-mark.ts'
import { packageFile } from '../../paths.ts'
import { QUEUES, SCHEDULES, SCHEMA } from './queues.ts'

/** Whether the tables, queues and schedules of the jobs are as this build makes them: what would make them takes a fifth of a second to load and to find that out. */
export async function jobsAreInstalled (databaseUrl: string): Promise<boolean> {
  return await readMark(databaseUrl, SCHEMA) === await markOfThisBuild()
}

export async function markJobsInstalled (databaseUrl: string): Promise<void> {
  await writeMark(databaseUrl, SCHEMA, await markOfThisBuild())
}

async function markOfThisBuild (): Promise<string> {
  const { dependencies } = JSON.parse(await readFile(packageFile, 'utf8')) as { dependencies: Record<string, string> }
  return `stateless-auth ${hash('sha256', JSON.stringify([dependencies['pg-boss'], QUEUES, SCHEDULES]))}`
}
