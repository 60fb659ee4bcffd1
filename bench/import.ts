import { execFileSync, spawn } from 'node:child_process'
import { hash } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { byItself } from './judge.ts'
import { row, type Benchmark } from './measure.ts'
import { pathOf, productionEnvironment } from './processes.ts'

const GOALS = { speed: { atLeast: 5_000 }, memory: { atMost: 200 } }

/** A million accounts with everything that a line can say, from a file; then the same file again, as after an interruption. As in the image. */
export const importUsers: Benchmark = async setting => {
  const users = setting.smoke ? 5_000 : setting.long ? 1_000_000 : 50_000
  const file = join(setting.folder, 'users.ndjson')
  execFileSync(process.execPath, [pathOf('scripts/bundle.ts')], { cwd: pathOf('.') })
  await writeUsers(file, users)
  setting.teardown(async () => await rm(file))
  await run(setting.databaseUrl, ['migrate', 'up'])
  const first = await run(setting.databaseUrl, ['users', 'import', file], `${users} imported, 0 already there, 0 refused`)
  const again = await run(setting.databaseUrl, ['users', 'import', file], `0 imported, ${users} already there, 0 refused`)
  return {
    name: 'import',
    rows: [
      row(`users import, ${users} lines`, 'users/s', [users / first.seconds]),
      row('users import', 'MB at most', [first.megabytes]),
      row('the same file again', 'users/s', [users / again.seconds]),
      row('the same file again', 'MB at most', [again.megabytes]),
    ],
    judged: [
      byItself(`${users} lines`, GOALS.speed, 'users/s', [users / first.seconds]),
      byItself(`${users} lines, at most`, GOALS.memory, 'MB', [Math.max(first.megabytes, again.megabytes)]),
    ],
  }
}

async function writeUsers (file: string, users: number): Promise<void> {
  const out = createWriteStream(file)
  for (let n = 0; n < users; n++) {
    const random = hash('sha256', String(n))
    const line = {
      email: `user.${random.slice(0, 10)}@mail${n % 50}.example.com`, email_verified: n % 10 > 0, name: `User Number ${n}`, roles: ['member', `team:${n % 100}`], claims: { tenant: `t${n % 30}` },
      locale: 'en-GB', profile: { city: 'Wien' }, created_at: new Date(1.4e12 + n * 300_000).toISOString(), password_hash: `$2b$12$${random.slice(0, 53)}`,
    }
    if (!out.write(`${JSON.stringify(line)}\n`)) await once(out, 'drain')
  }
  await once(out.end(), 'close')
}

/** @throws when the command fails, or does not say what it should */
async function run (databaseUrl: string, args: string[], says = ''): Promise<{ seconds: number, megabytes: number }> {
  const startedAt = performance.now()
  const child = spawn(process.execPath, [pathOf('dist/cli/main.js'), ...args], { env: { PATH: process.env['PATH'], ...productionEnvironment(databaseUrl) }, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'close')
  let said = ''
  child.stdout.on('data', chunk => { said += chunk })
  let megabytes = 0
  const watch = setInterval(() => {
    readFile(`/proc/${child.pid}/status`, 'utf8').then(status => { megabytes = Math.max(megabytes, Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024) }, () => {})
  }, 50)
  const [code] = await ended
  clearInterval(watch)
  if (code !== 0 || !said.includes(says)) throw new Error(`${args.join(' ')} ended with ${code}: ${said}`)
  return { seconds: (performance.now() - startedAt) / 1000, megabytes }
}
