import type { Reading } from '../metrics/reading.ts'
import type { Database } from '../prepare-database.ts'

/** What the primary found for all: by message, because the arguments and the environment of a process can be read by others. */
export type Settled = { database: Database | null, port: number, readyFirst: boolean }

/** stop: the node goes; retire: only you do. */
export type Order = 'stop' | 'retire'

export type ToWorker = { settled: Settled } | { order: Order } | { read: number }
/** A worker asks first: what is sent to it before it listens to messages is lost. */
export type ToPrimary = { event: 'started' | 'serving' } | { read: number, reading: Reading }
