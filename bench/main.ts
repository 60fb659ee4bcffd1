// npm run bench [name …] [-- --smoke]: reference and subject take turns in one run, and only their ratio is judged,
// because machines differ. Results go to bench/results/; --smoke runs everything for two seconds and keeps nothing.
import { execFileSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbedded } from '../src/db/embedded/start.ts'
import { enumeration } from './enumeration.ts'
import { feed } from './feed.ts'
import { importUsers } from './import.ts'
import type { Benchmark, Result } from './measure.ts'
import { signIn } from './sign-in.ts'
import { singleUse } from './single-use.ts'
import { sizes } from './sizes.ts'
import { start } from './start.ts'
import { userList } from './user-list.ts'
import { verify } from './verify.ts'

const benchmarks: Record<string, Benchmark> = { verify, 'sign-in': signIn, feed, import: importUsers, start, 'user-list': userList, 'single-use': singleUse, enumeration, sizes }

const args = process.argv.slice(2)
const smoke = args.includes('--smoke')
const asked = args.filter(arg => !arg.startsWith('--'))
const unknown = asked.filter(name => !Object.hasOwn(benchmarks, name))
if (unknown.length > 0) throw new Error(`There is no benchmark ${unknown.join(', ')}; there are ${Object.keys(benchmarks).join(', ')}.`)

const folder = await mkdtemp(join(tmpdir(), 'bench-'))
await chmod(folder, 0o755)
const database = await startEmbedded(folder)
const endings: (() => unknown)[] = []
const results: Result[] = []
try {
  for (const name of asked.length > 0 ? asked : Object.keys(benchmarks)) {
    const result = await benchmarks[name]!({ databaseUrl: database.url, folder, smoke, teardown: work => { endings.push(work) } })
    for (const end of endings.splice(0).toReversed()) await end()
    print(result)
    results.push(result)
  }
  if (!smoke) {
    const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
    const file = `bench/results/${new Date().toISOString().slice(0, 10)}-${commit}.json`
    const machine = { node: process.version, cpu: cpus()[0]?.model, cores: availableParallelism() }
    await mkdir('bench/results', { recursive: true })
    await writeFile(file, `${JSON.stringify({ commit, machine, results }, null, 2)}\n`)
    process.stdout.write(`\n${file}\n`)
  }
} finally {
  for (const end of endings.toReversed()) await end()
  await database.stop()
  for (const path of [folder, database.folder]) await rm(path, { recursive: true, force: true })
}

function print ({ name, rows, ratios, note }: Result): void {
  process.stdout.write(`\n${name}\n`)
  for (const { label, unit, median, min, max } of rows) {
    process.stdout.write(`  ${label.padEnd(44)} ${String(median).padStart(9)} ${unit.padEnd(18)} ${min} … ${max}\n`)
  }
  for (const [label, { median, min, max }] of Object.entries(ratios)) process.stdout.write(`  ${label.padEnd(44)} ${String(median).padStart(9)} ${'ratio'.padEnd(18)} ${min} … ${max}\n`)
  if (note) process.stdout.write(`  ${note}\n`)
}
