import { mkdir, readFile, writeFile } from 'node:fs/promises'
import pg from 'pg'

/** Where the test run's PostgreSQL is: DATABASE_URL, or the embedded one that `before` started. */
const URL_FILE = '.data/test/database-url'
export const TEMPLATE = 'stateless_auth_test_template'
export const TEST_DATA = '.data/test'

export const databaseNamed = (url: string, name: string): string => Object.assign(new URL(url), { pathname: `/${name}` }).href

export async function rememberServer (url: string): Promise<void> {
  await mkdir(TEST_DATA, { recursive: true })
  await writeFile(URL_FILE, url, { mode: 0o600 })
}

export const serverUrl = async (): Promise<string> => process.env['DATABASE_URL'] || (await readFile(URL_FILE, 'utf8')).trim()

export async function onServer<T> (url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try { return await work(client) } finally { await client.end() }
}
