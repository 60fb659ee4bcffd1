import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { databaseNamed, onServer, serverUrl, TEMPLATE } from '../setup/database.ts'

type Teardown = { teardown: (work: () => unknown) => void }

/** A database of this test's own, dropped at its end. `empty`: without the tables, as before the first start. */
export async function freshDatabase (t: Teardown, { empty = false } = {}): Promise<string> {
  const server = await serverUrl()
  const name = `stateless_auth_test_${randomBytes(6).toString('hex')}`
  await onServer(server, async client => {
    for (let attempt = 1; ; attempt++) {
      try { await client.query(`CREATE DATABASE ${name}${empty ? '' : ` TEMPLATE ${TEMPLATE}`}`); return } catch (error) {
        // Another file is cloning the template at this moment.
        if ((error as pg.DatabaseError).code !== '55006' || attempt === 50) throw error
        await new Promise(resolve => setTimeout(resolve, 20 * attempt))
      }
    }
  })
  t.teardown(async () => await onServer(server, async client => { await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) }))
  return databaseNamed(server, name)
}

export type Sql = <R extends object = Record<string, unknown>>(text: string, values?: unknown[]) => Promise<R[]>

/** Plain SQL beside the service: what an operator, or a fault, would do. */
export async function sqlTo (t: Teardown, url: string): Promise<Sql> {
  const pool = new pg.Pool({ connectionString: url, max: 2 })
  pool.on('error', () => {})
  t.teardown(async () => await pool.end())
  return async (text, values) => (await pool.query(text, values)).rows
}
