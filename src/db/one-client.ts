import pg from 'pg'
import { StartError } from '../errors.ts'

const OLDEST_POSTGRES = 14

/**
 * A connection of its own, for what is done once at a start.
 * @throws StartError where there is no database, or one that is too old
 */
export async function withClient<T> (url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000, application_name: 'stateless-auth migrate' })
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (error) {
    throw new StartError(`The database cannot be reached: ${reason(error)}.`, { cause: error })
  }
  try {
    const { rows: [server] } = await client.query('SELECT current_setting(\'server_version_num\')::int / 10000 AS major')
    if (server.major < OLDEST_POSTGRES) throw new StartError(`PostgreSQL ${OLDEST_POSTGRES} or newer is needed; this server is ${server.major}.`)
    return await work(client)
  } finally {
    // Ending the connection rolls back what an error interrupted, and with it goes the lock.
    await client.end()
  }
}

function reason (error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException
  const first = (error as AggregateError).errors?.[0] as Error | undefined
  return (message || first?.message || code || 'unknown error').replace(/\.$/, '')
}
