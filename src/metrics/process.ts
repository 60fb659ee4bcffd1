import { readFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { packageFile } from '../paths.ts'
import type { Reading } from './reading.ts'

/** A timer that looks so often how late it is; what it says includes the time between two looks. */
const RESOLUTION_MS = 20

/** What the process as such has to say, under the names that dashboards know. */
export function watchProcess ({ mode }: { mode: string }): { read: () => Reading, stop: () => void } {
  const { version } = JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delay.enable()
  const one = (value: number) => [{ labels: [], value }]
  return {
    read: () => {
      const late = delay.count > 0 ? Math.max(0, delay.percentile(99) / 1e9 - RESOLUTION_MS / 1000) : 0
      delay.reset()
      const { user, system } = process.cpuUsage()
      return {
        stateless_auth_build_info: [{ labels: [version, process.versions.node, mode], value: 1 }],
        process_resident_memory_bytes: one(process.memoryUsage.rss()),
        process_cpu_seconds_total: one((user + system) / 1e6),
        process_start_time_seconds: one(performance.timeOrigin / 1000),
        nodejs_eventloop_lag_p99_seconds: one(late),
      }
    },
    stop: () => { delay.disable() },
  }
}
