import autocannon from 'autocannon'
import { readdir, readFile } from 'node:fs/promises'
import type { Judged } from './judge.ts'

/** `smoke`: two seconds, to see that it runs. `long`: asked for by name, so with as many users or samples as it takes, and not as ten minutes for all allow. */
export type Setting = { databaseUrl: string, folder: string, smoke: boolean, long: boolean, teardown: (work: () => unknown) => void }
export type Spread = { median: number, min: number, max: number }
export type Row = Spread & { label: string, unit: string }
export type Result = { name: string, rows: Row[], ratios?: Record<string, Spread>, judged?: Judged[], note?: string }
export type Benchmark = (setting: Setting) => Promise<Result>

const rounded = (value: number): number => value >= 100 ? Math.round(value) : Number(value.toPrecision(3))

export function spread (values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  return { median: rounded(sorted[Math.floor(sorted.length / 2)]!), min: rounded(sorted[0]!), max: rounded(sorted.at(-1)!) }
}

export const row = (label: string, unit: string, values: readonly number[]): Row => ({ label, unit, ...spread(values) })

/** Round by round: neighbours in time saw the same machine. */
export const ratio = (subject: readonly number[], reference: readonly number[]): Spread => spread(subject.map((value, round) => value / reference[round]!))

/** `busy`, `generator`: cores that the server and this process had in use. */
export type Load = { perSecond: number, perCpuSecond: number, busy: number, generator: number }

/** Load on a server in another process. Any answer but 2xx, and any lost one, ends the benchmark. */
export async function load (pid: number, seconds: number, options: autocannon.Options): Promise<Load> {
  const [cpuBefore, ownBefore] = [await cpuSeconds(pid), process.cpuUsage()]
  let startedAt = performance.now()
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const running = autocannon({ connections: 10, sampleInt: 100, ...options, duration: seconds }, (error, result) => { if (error) reject(error); else resolve(result) })
    // The requests have been made by then.
    running.on('start', () => { startedAt = performance.now() })
  })
  const [elapsed, cpu, own] = [(performance.now() - startedAt) / 1000, await cpuSeconds(pid) - cpuBefore, process.cpuUsage(ownBefore)]
  const answered = result['2xx']
  // A kernel that keeps no schedstat: nothing would be infinitely fast.
  if (!(cpu > 0)) throw new Error('no processor time was counted (/proc/<pid>/task/*/schedstat)')
  if (result.errors > 0 || result.timeouts > 0 || result.non2xx > 0 || answered === 0) {
    throw new Error(`${options.url}: ${answered} answers, ${result.non2xx} not 2xx, ${result.errors} errors, ${result.timeouts} time-outs`)
  }
  return { perSecond: answered / elapsed, perCpuSecond: answered / cpu, busy: cpu / elapsed, generator: (own.user + own.system) / 1e6 / elapsed }
}

/** User and system time of a process, of all threads that it has now (none, where it is gone); or of one, `<pid>/task/<thread>`. Linux only. Not from `stat`, which counts in ticks of 10 ms: a round has a few of them. */
export async function cpuSeconds (pid: number | string): Promise<number> {
  const threads = String(pid).includes('/task/') ? [`/proc/${pid}`] : (await readdir(`/proc/${pid}/task`).catch(() => [])).map(thread => `/proc/${pid}/task/${thread}`)
  const times = await Promise.all(threads.map(async thread => Number((await readFile(`${thread}/schedstat`, 'utf8').catch(() => '0')).split(' ')[0])))
  return times.reduce((sum, nanoseconds) => sum + nanoseconds, 0) / 1e9
}

export async function residentMegabytes (pid: number): Promise<number> {
  return Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
}
