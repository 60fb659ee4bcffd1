import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Setting } from './measure.ts'
import { pathOf } from './processes.ts'

type Request = { method: 'GET' | 'POST', path: string, headers?: Record<string, string>, body?: string }
/** `addresses`: as many as the requests say in turn that they come from (X-Forwarded-For). */
export type Stream = { perSecond: number, requests: readonly Request[], addresses?: number }
export type Order = { url: string, seconds: number, streams: readonly Stream[] }
/** `ms` is from when the request was due, so that what a stall holds up is counted too; `lateMs` of it is the generator's own. */
export type Sample = { ms: number, lateMs: number, what: string, retryAfter: boolean }

export type OpenLoop = { pid: number, run: (order: Order) => Promise<Sample[][]> }

/** A load generator in a process of its own: so many requests a second, each when it is due and however slow the answers are. */
export function openLoop ({ teardown }: Pick<Setting, 'teardown'>): OpenLoop {
  const child = fork(pathOf('bench/open-loop-process.ts'), { env: { PATH: process.env['PATH'] } })
  const ended = once(child, 'exit').then(([code]) => { throw new Error(`the generator ended with ${code}`) })
  ended.catch(() => {})
  teardown(async () => { child.disconnect(); await ended.catch(() => {}) })
  return {
    pid: child.pid!,
    run: async order => {
      child.send(order)
      return (await Promise.race([once(child, 'message'), ended]) as [Sample[][]])[0]
    },
  }
}

export const quantile = (values: readonly number[], at: number): number => values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * at))] ?? NaN
