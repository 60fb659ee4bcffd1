import type { PoolClient } from 'pg'
import { traced, tracedCallback } from '../trace.ts'
import { summaryOf } from './summary.ts'

type Query = (...args: unknown[]) => unknown
type Callback = (error: Error | null, result: unknown) => void

/** Tells of each statement of a connection, by name: what it does to which tables, never its text and never a value. */
export function traceStatements (client: PoolClient): void {
  const query = client.query.bind(client) as Query
  client.query = ((...args: unknown[]) => {
    const [statement] = args
    const text = typeof statement === 'string' ? statement : (statement as { text?: unknown } | null)?.text
    if (typeof text !== 'string') return query(...args)
    const name = summaryOf(text)
    const told = { name, kind: 'client', attributes: { 'db.system.name': 'postgresql', 'db.query.summary': name } } as const
    if (typeof args.at(-1) === 'function') { tracedCallback(told, query, args as [...unknown[], Callback]); return undefined }
    return traced(told, async () => await query(...args))
  }) as typeof client.query
}
