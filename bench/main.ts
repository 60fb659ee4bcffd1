// npm run bench [-- name …] [-- --smoke]: reference and subject take turns in one run, and only their ratio is judged, because
// machines differ. Results go to bench/results/. All together take ten minutes at most; what is named runs at its full length.
// --smoke runs everything for some two seconds, judges nothing and keeps nothing.
import { execFileSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbedded } from '../src/db/embedded/start.ts'
import { argon2Builds } from './argon2-builds.ts'
import { enumeration } from './enumeration.ts'
import { feed } from './feed.ts'
import { flood } from './flood.ts'
import { generator } from './generator.ts'
import { growth } from './growth.ts'
import { importUsers } from './import.ts'
import type { Benchmark, Result } from './measure.ts'
import { refresh } from './refresh.ts'
import { sdk } from './sdk.ts'
import { signIn } from './sign-in.ts'
import { singleUse } from './single-use.ts'
import { sizes } from './sizes.ts'
import { start } from './start.ts'
import { details, table } from './table.ts'
import { userList } from './user-list.ts'
import { verify } from './verify.ts'
import { writes } from './writes.ts'

const benchmarks: Record<string, Benchmark> = {
  generator,
  verify,
  sdk,
  'sign-in': signIn,
  refresh,
  flood,
  argon2: argon2Builds,
  start,
  writes,
  growth,
  feed,
  import: importUsers,
  'user-list': userList,
  'single-use': singleUse,
  enumeration,
  sizes,
}

const args = process.argv.slice(2)
const smoke = args.includes('--smoke')
const asked = args.filter(arg => !arg.startsWith('--'))
const unknown = asked.filter(name => !Object.hasOwn(benchmarks, name))
if (unknown.length > 0) throw new Error(`There is no benchmark ${unknown.join(', ')}; there are ${Object.keys(benchmarks).join(', ')}.`)

const machine = { node: process.version, cpu: cpus()[0]?.model, cores: availableParallelism(), load: Number(loadavg()[0]!.toFixed(2)) }
const folder = await mkdtemp(join(tmpdir(), 'bench-'))
await chmod(folder, 0o755)
const database = await startEmbedded(folder)
const endings: (() => unknown)[] = []
const results: (Result & { seconds: number })[] = []
const startedAt = performance.now()
let file = ''
const secondsSince = (began: number): number => Math.round((performance.now() - began) / 1000)
try {
  for (const name of asked.length > 0 ? asked : Object.keys(benchmarks)) {
    const began = performance.now()
    const result = await benchmarks[name]!({ databaseUrl: database.url, folder, smoke, long: asked.length > 0 && !smoke, teardown: work => { endings.push(work) } })
    for (const end of endings.splice(0).toReversed()) await end()
    results.push({ ...result, seconds: secondsSince(began) })
    process.stdout.write(details(results.at(-1)!))
    if (!smoke) file = await keep()
  }
  process.stdout.write(smoke ? '\nnothing is judged in so short a time\n' : `\n${table(results)}\n${file}, ${secondsSince(startedAt)} s\n`)
} finally {
  for (const end of endings.toReversed()) await end()
  await database.stop()
  for (const path of [folder, database.folder]) await rm(path, { recursive: true, force: true })
}

/** One file a commit: what is run again takes the place of what it found before. */
async function keep (): Promise<string> {
  const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8' }).trim()
  const commit = git('rev-parse', '--short', 'HEAD')
  const changed = git('status', '--porcelain', '--untracked-files=no') !== ''
  const file = `bench/results/${new Date().toISOString().slice(0, 10)}-${commit}.json`
  const before = await readFile(file, 'utf8').then(text => (JSON.parse(text) as { results: Result[] }).results, () => [])
  const kept = before.filter(({ name }) => !results.some(result => result.name === name))
  await mkdir('bench/results', { recursive: true })
  await writeFile(file, `${JSON.stringify({ commit, ...(changed && { changed }), machine, results: [...kept, ...results] }, null, 2)}\n`)
  return file
}
