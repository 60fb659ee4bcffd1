import type { Distribution } from '../lib/histogram.ts'
import { families, type Family, type FamilyName } from './families.ts'

/** `labels`: the values, in the order of the family's names. */
export type Sample = { labels: readonly string[], value: number | Distribution }
/** What one process has to say when it is asked. A family that it cannot speak of is absent: zero would be a lie. */
export type Reading = Partial<Record<FamilyName, readonly Sample[]>>

/** Several processes as one node: what is late is as late as with the latest, what is counted adds up. */
export function combine (readings: readonly Reading[]): Reading {
  const combined: Reading = {}
  for (const [name, { combine: how }] of Object.entries(families) as [FamilyName, Family][]) {
    const said = readings.flatMap(reading => reading[name] && reading[name].length > 0 ? [reading[name]] : [])
    if (said.length === 0) continue
    if (how === 'one' || said.length === 1) { combined[name] = said[0]!; continue }
    const together = new Map<string, Sample>()
    for (const { labels, value } of said.flat()) {
      const key = labels.join('\n')
      const before = together.get(key)
      together.set(key, before ? { labels, value: merge(how, before.value, value) } : { labels, value })
    }
    combined[name] = [...together.values()]
  }
  return combined
}

/** What only ever grows, and must not fall when the process that counted it goes. */
export const countedIn = (reading: Reading): Reading =>
  Object.fromEntries(Object.entries(reading).filter(([name]) => families[name as FamilyName].type !== 'gauge'))

function merge (how: 'sum' | 'max' | 'min', a: number | Distribution, b: number | Distribution): number | Distribution {
  if (typeof a === 'number' && typeof b === 'number') return how === 'sum' ? a + b : Math[how](a, b)
  if (typeof a === 'number' || typeof b === 'number') throw new TypeError('a number and a distribution')
  return { bounds: a.bounds, counts: a.counts.map((count, at) => count + b.counts[at]!), sum: a.sum + b.sum }
}
