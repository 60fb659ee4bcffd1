import { tracingChannel } from 'node:diagnostics_channel'

/** What takes time, told to whoever listens: names of ours and numbers, never what a caller sent, and nothing of what is read or written. */
export type Told = {
  name: string
  /** `client`: somebody else does it. */
  kind?: 'client'
  attributes?: Record<string, string | number>
  /** Told also where no request is behind it. */
  root?: true
}

/** Node's own way to tell; telemetry/ listens where it was asked for, and where nobody does, nothing is done. */
const channel = tracingChannel<Told, Told>('stateless-auth')

export const isTraced = (): boolean => channel.hasSubscribers

export const traced = async <T>(told: Told, work: () => Promise<T>): Promise<T> =>
  await (channel.hasSubscribers ? channel.tracePromise(work, told) : work())

/** The same for what calls back: `args` end with the callback. */
export const tracedCallback = <A extends unknown[]>(told: Told, work: (...args: A) => void, args: A): void => { channel.traceCallback(work as never, args.length - 1, told, undefined, ...args) }
