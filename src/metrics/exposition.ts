import type { Distribution } from '../lib/histogram.ts'
import { families, type FamilyName } from './families.ts'
import type { Reading, Sample } from './reading.ts'

/** Prometheus' text format, which every scraper reads. */
export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export const exposition = (reading: Reading): string =>
  (Object.keys(families) as FamilyName[]).flatMap(name => reading[name] ? family(name, reading[name]) : []).map(line => `${line}\n`).join('')

function family (name: FamilyName, samples: readonly Sample[]): string[] {
  const { help, type, labels: names } = families[name]
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples.flatMap(({ labels, value }) => {
    const pairs = names.map((label, at): [string, string] => [label, labels[at]!])
    return typeof value === 'number' ? [line(name, pairs, value)] : distribution(name, pairs, value)
  })]
}

/** Each bucket has those below it, too. */
function distribution (name: string, pairs: [string, string][], { bounds, counts, sum }: Distribution): string[] {
  let below = 0
  const buckets = counts.map((count, at) => {
    below += count
    return line(`${name}_bucket`, [...pairs, ['le', String(bounds[at] ?? '+Inf')]], below)
  })
  return [...buckets, line(`${name}_sum`, pairs, sum), line(`${name}_count`, pairs, below)]
}

const line = (name: string, pairs: [string, string][], value: number): string =>
  `${name}${pairs.length > 0 ? `{${pairs.map(([label, text]) => `${label}=${quoted(text)}`).join(',')}}` : ''} ${value === Infinity ? '+Inf' : value}`

const quoted = (label: string): string => `"${label.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
