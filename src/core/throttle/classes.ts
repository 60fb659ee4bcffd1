/** Classes of routes whose requests are counted for all nodes together: points a window and address, before RATE_LIMIT_SCALE. */
export const sharedClasses = {
  'sign-in': { points: 60, seconds: 60 },
  'sign-up': { points: 30, seconds: 3_600 },
  mail: { points: 30, seconds: 3_600 },
} as const

export type SharedClass = keyof typeof sharedClasses
export const isShared = (limit: string | undefined): limit is SharedClass => Object.hasOwn(sharedClasses, limit ?? '')
