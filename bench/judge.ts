import { ratio, spread, type Spread } from './measure.ts'

/** Of the median. */
export type Goal = { atLeast: number } | { atMost: number }

/** A line of the table: what was to be reached, and whether it was. With a reference the ratio is judged, and by itself the figure. */
export type Judged = {
  what: string, unit: string, measured: Spread
  reference: Spread & { name: string } | null, ratio: Spread | null
  goal: Goal, met: boolean
}

const reaches = ({ median }: Spread, goal: Goal): boolean => 'atLeast' in goal ? median >= goal.atLeast : median <= goal.atMost

/** Round by round. */
export function against (what: string, goal: Goal, unit: string, subject: readonly number[], name: string, reference: readonly number[]): Judged {
  const of = ratio(subject, reference)
  return { what, unit, measured: spread(subject), reference: { name, ...spread(reference) }, ratio: of, goal, met: reaches(of, goal) }
}

export function byItself (what: string, goal: Goal, unit: string, values: readonly number[]): Judged {
  const measured = spread(values)
  return { what, unit, measured, reference: null, ratio: null, goal, met: reaches(measured, goal) }
}
