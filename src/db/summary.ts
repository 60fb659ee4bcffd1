/** Statements are written in the code, so there are as many as there are; lists of parameters make a few forms of some. */
const KEPT = 500
const kept = new Map<string, string>()

const LENGTH = 120
/** Not: a column (`extract(epoch FROM at)`, `IS DISTINCT FROM x`), a function, and what locks (`FOR UPDATE OF`). */
const STEPS = /\b(?:(?:(INSERT) INTO|(?<!\bFOR )(UPDATE)|(DELETE) FROM)\s+(?!SET\b|OF\b)([a-z_."]+)|(?:(?<!\b(?:DISTINCT|epoch) )FROM|JOIN)\s+(?!LATERAL\b)([a-z_][a-z0-9_."]*)(?![\w."]|\s*\())/gi
const PARTS = /\b([a-z_][a-z0-9_]*)\s+AS\s+(?:NOT\s+)?(?:MATERIALIZED\s+)?\(/gi

/** What a statement does to which tables, as OpenTelemetry's `db.query.summary` has it: `SELECT users INSERT refresh_spent`. Made of key words and names only. */
export function summaryOf (sql: string): string {
  const known = kept.get(sql)
  if (known !== undefined) return known
  const summary = summarise(sql)
  if (kept.size >= KEPT) kept.clear()
  kept.set(sql, summary)
  return summary
}

function summarise (sql: string): string {
  const text = sql.replaceAll(/'[^']*'/g, "''")
  const parts = new Set([...text.matchAll(PARTS)].map(([, name]) => name!))
  const steps = [...text.matchAll(STEPS)].flatMap(([, insert, update, del, changed, read]) => {
    const table = (changed ?? read)!.replaceAll('"', '')
    return parts.has(table) ? [] : [`${(insert ?? update ?? del ?? 'SELECT').toUpperCase()} ${table}`]
  })
  const summary = [...new Set(steps)].join(' ').slice(0, LENGTH)
  return summary || (/^\s*([A-Z]+)\b/i.exec(text)?.[1]?.toUpperCase() ?? 'SQL')
}
