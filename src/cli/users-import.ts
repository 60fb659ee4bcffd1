import { closeSync, createReadStream, existsSync, fstatSync, openSync, realpathSync, writeSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { parseArgs } from 'node:util'
import { importUsers, type Counts, type Refused } from '../core/users/import/import.ts'
import { StartError } from '../errors.ts'
import { MISUSED, type Command } from './command.ts'
import { leanHeap } from './lean-heap.ts'
import { progress } from './progress.ts'
import { STOPPING } from './signals.ts'
import { withDatabase } from './with-database.ts'

const MAX_BATCH = 5_000
/** Of the file, between two collections of what its lines have left behind. */
const COLLECT_BYTES = 2_097_152
/** Of refused lines, where no report is asked for. */
const SHOWN = 20

type Options = { file: string, dryRun: boolean, report: string | undefined, batch: number }

/** Exit 0: every line is in; 1: some are not. */
export const importAccounts: Command = async (args, env) => {
  const options = read(args)
  if (!options) return MISUSED
  const source = open(options.file)
  const report = options.report === undefined ? null : openReport(options.report, options.file)
  try {
    return await withDatabase(env, async ({ db, config, clock }) => {
      const stopping = new AbortController()
      const stop = () => {
        process.stderr.write('\nfinishing the batch; once more ends at once\n')
        for (const signal of STOPPING) process.off(signal, stop)
        stopping.abort()
        source.stream.destroy()
      }
      for (const signal of STOPPING) process.on(signal, stop)
      const shown = progress(process.stderr, { total: source.bytes, unit: 'lines', now: clock.now })
      const collect = leanHeap()
      let collectedAt = 0
      let refusals = 0
      try {
        const counts = await importUsers({ db, clock, config }, source.read(), {
          ...options,
          signal: stopping.signal,
          onBatch: (refused, { lines }) => {
            if (report !== null && refused.length > 0) writeSync(report, refused.map(line => `${JSON.stringify(line)}\n`).join(''))
            if (report === null) for (const line of refused.slice(0, Math.max(0, SHOWN - refusals))) process.stderr.write(`${sentence(line)}\n`)
            refusals += refused.length
            shown.at(source.position(), lines)
            if (source.position() - collectedAt < COLLECT_BYTES) return
            collect()
            collectedAt = source.position()
          },
        })
        shown.end()
        process.stdout.write(`${summary(counts, options)}\n`)
        if (stopping.signal.aborted) throw new StartError(`Stopped after line ${counts.lines}, with everything up to there done. Run the same command again to go on.`)
        if (report === null && refusals > SHOWN) process.stderr.write(`${refusals - SHOWN} more refused lines; --report FILE lists them all\n`)
        return counts.refused > 0 ? 1 : 0
      } finally {
        for (const signal of STOPPING) process.off(signal, stop)
        shown.end()
      }
    })
  } finally {
    source.stream.destroy()
    if (report !== null) closeSync(report)
  }
}

function read (args: readonly string[]): Options | null {
  try {
    const { values, positionals } = parseArgs({
      args: [...args], allowPositionals: true, options: { 'dry-run': { type: 'boolean' }, report: { type: 'string' }, batch: { type: 'string' } },
    })
    const [file, ...rest] = positionals
    const batch = /^[1-9]\d{0,3}$/.test(values.batch ?? '1000') ? Number(values.batch ?? 1000) : Number.NaN
    if (file === undefined || rest.length > 0 || !(batch <= MAX_BATCH)) return null
    return { file, dryRun: values['dry-run'] ?? false, report: values.report, batch }
  } catch { return null }
}

type Source = { stream: Readable, bytes: number | null, position: () => number, read: () => AsyncIterable<Buffer> }

function open (file: string): Source {
  let position = 0
  const counted = async function * (stream: Readable): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) { position += chunk.length; yield chunk }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // EISDIR and the like; a stream that we ended ourselves is for the caller to know.
      throw code !== undefined && /^E[A-Z]+$/.test(code) ? new StartError(`The file ${file} cannot be read (${code}).`) : error
    }
  }
  const source = (stream: Readable, bytes: number | null): Source => ({ stream, bytes, position: () => position, read: () => counted(stream) })
  if (file === '-') return source(process.stdin, null)
  try {
    const fd = openSync(file, 'r')
    const stat = fstatSync(fd)
    return source(createReadStream(file, { fd, highWaterMark: 262_144 }), stat.isFile() ? stat.size : null)
  } catch (error) {
    throw new StartError(`The file ${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'}).`)
  }
}

/** Written anew each time: whoever goes on reads every line again, and the report has all that are refused. */
function openReport (report: string, file: string): number {
  try {
    if (file !== '-' && existsSync(report) && realpathSync(report) === realpathSync(file)) throw new StartError(`The report would overwrite ${file}; give another name.`)
    return openSync(report, 'w', 0o600)
  } catch (error) {
    if (error instanceof StartError) throw error
    throw new StartError(`The report ${report} cannot be written (${(error as NodeJS.ErrnoException).code ?? 'unknown error'}).`)
  }
}

const sentence = ({ line, code, message }: Refused): string => `line ${line}: ${code}: ${message}`

const summary = ({ lines, imported, there, refused }: Counts, { dryRun }: Options): string =>
  `${lines} lines: ${imported} ${dryRun ? 'would be imported' : 'imported'}, ${there} already there, ${refused} refused`
