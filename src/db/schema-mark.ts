import pg from 'pg'
import { withClient } from './one-client.ts'

/** What made a schema, kept as its comment: it goes where the schema goes, into a backup and out of it. Null: no schema, or no comment. */
export async function readMark (url: string, schema: string): Promise<string | null> {
  return await withClient(url, async client => {
    const { rows: [row] } = await client.query<{ mark: string | null }>('SELECT obj_description(to_regnamespace($1), \'pg_namespace\') AS mark', [schema])
    return row!.mark
  })
}

/** A role that may use the schema and does not own it writes nothing: whoever looks for the mark looks closer then. */
export async function writeMark (url: string, schema: string, mark: string): Promise<void> {
  await withClient(url, async client => {
    await client.query(`COMMENT ON SCHEMA ${pg.escapeIdentifier(schema)} IS ${pg.escapeLiteral(mark)}`)
      .catch((error: pg.DatabaseError) => { if (error.code !== '42501') throw error })
  })
}
