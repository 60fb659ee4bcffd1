import { readFile } from 'node:fs/promises'
import { StartError } from '../../errors.ts'

export type Account = { uid: number, gid: number }

/** PostgreSQL refuses to run as root: then it runs as `postgres`, or as `nobody`, which every Linux has. Null: as ourselves. */
export async function databaseAccount (): Promise<Account | null> {
  if (process.getuid?.() !== 0) return null
  const passwd = await readFile('/etc/passwd', 'utf8')
  for (const name of ['postgres', 'nobody']) {
    const fields = passwd.split('\n').map(line => line.split(':')).find(([user]) => user === name)
    if (fields) return { uid: Number(fields[2]), gid: Number(fields[3]) }
  }
  throw new StartError('PostgreSQL does not run as root, and there is neither a postgres nor a nobody account; set DATABASE_URL.')
}
