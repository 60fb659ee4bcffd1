import type { Staleness } from './observer.ts'
import type { Outcome, Variant } from './variant.ts'

const NODE_GOAL_MS = 1_000
const SDK_GOAL_MS = 2_000
/** The short form has few samples, so that its p99 is its worst, on whatever machine it runs. */
const SHORT_LENIENCY = 2

type Percentiles = { count: number, p50: number, p99: number, max: number }

function percentiles (values: readonly number[]): Percentiles | null {
  if (values.length === 0) return null
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!)
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: Math.round(sorted.at(-1)!) }
}

const atNodes = (staleness: Staleness | null): number[] => [...staleness?.nodes.values() ?? []].flat()

/** What is broken, each in words; empty: the variant holds. */
export function verdict ({ promptly }: Variant, { tally, staleness, broken }: Outcome, short: boolean): string[] {
  const [nodes, sdk] = [percentiles(atNodes(staleness)), percentiles(staleness?.sdk ?? [])]
  const leniency = short ? SHORT_LENIENCY : 1
  return [
    ...Object.entries(tally.faults).filter(([, count]) => count > 0).map(([fault, count]) => `${fault}: ${count}, must be 0`),
    ...broken,
    ...[
      staleness && staleness.accepted.length > 0 && `what ended was accepted to the last by ${[...new Set(staleness.accepted)].join(', ')}`,
      promptly && !nodes && 'no ending was measured at another node',
      promptly && !sdk && 'no ending was measured at the SDK verifier',
      promptly && nodes && nodes.p99 > NODE_GOAL_MS * leniency && `staleness at another node: p99 ${nodes.p99} ms, must be ${NODE_GOAL_MS * leniency} or less`,
      promptly && sdk && sdk.p99 > SDK_GOAL_MS * leniency && `staleness at the SDK verifier: p99 ${sdk.p99} ms, must be ${SDK_GOAL_MS * leniency} or less`,
    ].filter(line => typeof line === 'string'),
  ]
}

const told = (spread: Percentiles | null): string => spread ? `p50 ${spread.p50}, p99 ${spread.p99}, max ${spread.max} (${spread.count})` : 'not measured'

/** The figures of one variant, in the order of the issue: label and value. */
export function figures ({ tally, staleness, notes }: Outcome): [string, string][] {
  const { total, failedFirst } = tally
  return [
    ['requests', `${total}: ${[...tally.requests].sort(([, a], [, b]) => b - a).map(([kind, count]) => `${kind} ${count}`).join(', ')}`],
    ...Object.entries(tally.faults).map(([fault, count]) => [fault, String(count)] as [string, string]),
    ['first-try failures', `${failedFirst} (${total === 0 ? 0 : (100 * failedFirst / total).toFixed(2)} %)${failedFirst > 0 ? `: ${[...tally.firstTryFailures].map(([reason, count]) => `${reason} ${count}`).join(', ')}` : ''}`],
    ...(staleness
      ? [
          ['staleness at another node, ms', told(percentiles(atNodes(staleness)))],
          ['staleness at an SDK verifier, ms', told(percentiles(staleness.sdk))],
        ] as [string, string][]
      : []),
    ...Object.entries(notes).map(([label, value]) => [label, String(value)] as [string, string]),
  ]
}

export function print (name: string, outcome: Outcome, broken: readonly string[], seconds: number): void {
  const lines = [`\n${name} (${Math.round(seconds)} s)`, ...figures(outcome).map(([label, value]) => `  ${label.padEnd(44)} ${value}`), ...outcome.tally.examples.map(example => `    ${example}`)]
  lines.push(broken.length === 0 ? '  HOLDS' : `  BROKEN: ${broken.join('; ')}`)
  process.stdout.write(`${lines.join('\n')}\n`)
}
