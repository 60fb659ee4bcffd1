import { execFile } from 'node:child_process'
import { access, cp, readFile, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { startHashing, type Hashes } from './hashing.ts'
import { against, type Judged } from './judge.ts'
import { row, type Benchmark, type Row, type Setting } from './measure.ts'
import { pathOf } from './processes.ts'

/** By the level of the x86-64 psABI, as docker/entrypoint.sh knows them by their newest instructions. */
const LEVELS = {
  v3: { name: 'AVX2', flag: 'avx2', goal: { atMost: 0.5 } },
  v4: { name: 'AVX-512', flag: 'avx512vl', goal: { atMost: 0.36 } },
} as const

/** As docker/entrypoint.sh has it. */
const IMAGE = { MALLOC_ARENA_MAX: '1' }

/** What a hash costs with the modules that the image has, made by the script that makes those, against the prebuilt one of the package. */
export const argon2Builds: Benchmark = async setting => {
  if (setting.smoke) return { name: 'argon2', rows: [], note: 'not measured in the smoke: its modules take longer to build' }
  const built = await build(setting).catch((error: Error) => error)
  if (built instanceof Error) return { name: 'argon2', rows: [], note: `not measured: the modules could not be built here (${built.message.split('\n')[0]})` }
  const flags = (/^flags\s*:(.*)$/m.exec(await readFile('/proc/cpuinfo', 'utf8'))?.[1] ?? '').split(' ')
  const levels = (Object.keys(LEVELS) as (keyof typeof LEVELS)[]).filter(level => flags.includes(LEVELS[level].flag))

  const prebuilt = await startHashing(setting, 1, { ...IMAGE, PREBUILDS_ONLY: '1' })
  const hashing = { prebuilt, ...Object.fromEntries(await Promise.all(levels.map(async level => [level, await startHashing(setting, 1, { ...IMAGE, ARGON2_PREBUILD: join(built, level) })]))) as Record<string, typeof prebuilt> }
  const ms: Record<string, number[]> = {}
  for (let round = -1; round < 7; round++) {
    for (const [name, hash] of Object.entries(hashing)) {
      const { perCpuSecond }: Hashes = await hash(1)
      if (round >= 0) (ms[name] ??= []).push(1000 / perCpuSecond)
    }
  }
  const rows: Row[] = [row('prebuilt module', 'CPU ms/hash', ms['prebuilt']!)]
  const judged: Judged[] = []
  for (const level of levels) {
    const { name, goal } = LEVELS[level]
    rows.push(row(`built for x86-64-${level} (${name})`, 'CPU ms/hash', ms[level]!))
    judged.push(against(`the image's build for ${name}`, goal, 'CPU ms/hash', ms[level]!, 'prebuilt module', ms['prebuilt']!))
  }
  return { name: 'argon2', rows, judged }
}

/** @returns the folder with the builds */
async function build ({ folder }: Pick<Setting, 'folder'>): Promise<string> {
  const [module, out] = [join(folder, 'argon2'), join(folder, 'argon2-builds')]
  await cp(pathOf('node_modules/argon2'), module, { recursive: true })
  await symlink(pathOf('node_modules'), join(folder, 'node_modules'))
  const headers = dirname(dirname(process.execPath))
  await access(join(headers, 'include/node/node_api.h'))
  await promisify(execFile)(pathOf('docker/build-argon2.sh'), [module, out, headers])
  return out
}
