import type { Goal, Judged } from './judge.ts'
import type { Result, Spread } from './measure.ts'

const HEAD = ['what', 'measured', 'reference', 'ratio', 'goal', 'met']

/** What was judged, as a table in Markdown: a terminal shows it in columns, and a page may have it as it is. */
export function table (results: readonly Result[]): string {
  const rows = results.flatMap(({ name, judged = [] }) => judged.map(of => [`${name}: ${of.what}`, ...cells(of)].map(cell => cell.replaceAll('|', '\\|'))))
  if (rows.length === 0) return ''
  const widths = HEAD.map((head, at) => Math.max(head.length, ...rows.map(row => row[at]!.length)))
  const line = (cells: readonly string[]) => `| ${cells.map((cell, at) => cell.padEnd(widths[at]!)).join(' | ')} |\n`
  return [line(HEAD), line(widths.map(width => '-'.repeat(width))), ...rows.map(line)].join('')
}

const cells = ({ unit, measured, reference, ratio, goal, met }: Judged): string[] => [
  reference ? `${measured.median} ${unit}` : `${measured.median} ${unit} (${range(measured)})`,
  reference ? `${reference.name}: ${reference.median}` : '–',
  ratio ? `${ratio.median} (${range(ratio)})` : '–',
  goalText(goal),
  met ? 'yes' : 'NO',
]

const range = ({ min, max }: Spread): string => `${min} … ${max}`
const goalText = (goal: Goal): string => 'atLeast' in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`

/** All figures of one benchmark, judged or not. */
export function details ({ name, rows, ratios = {}, note, seconds }: Result & { seconds: number }): string {
  const line = (label: string, unit: string, { median, ...of }: Spread) => `  ${label.padEnd(44)} ${String(median).padStart(9)} ${unit.padEnd(18)} ${range({ median, ...of })}\n`
  return [
    `\n${name} (${Math.round(seconds)} s)\n`,
    ...rows.map(row => line(row.label, row.unit, row)),
    ...Object.entries(ratios).map(([label, ratio]) => line(label, 'ratio', ratio)),
    note ? `  ${note}\n` : '',
  ].join('')
}
