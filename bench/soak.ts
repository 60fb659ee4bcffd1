// npm run bench:soak: half of what one process can do, for half an hour (SOAK_MINUTES). Does its memory grow, and is anything ever refused?
import { randomUUID } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { hashConcurrency } from '../src/core/passwords/admission.ts'
import { startEmbedded } from '../src/db/embedded/start.ts'
import { startHashing } from './hashing.ts'
import { cpuSeconds, residentMegabytes } from './measure.ts'
import { quantile } from './open-loop.ts'
import { accounts, PASSWORD, startService } from './processes.ts'

const AT_ONCE = hashConcurrency(1)
const minutes = Number(process.env['SOAK_MINUTES'] ?? 30)
/** A second. With half of the hashes, what sends all this and the database, half of two cores. */
const [VERIFICATIONS, REFRESHES, SESSIONS] = [400, 40, 200]

const folder = await mkdtemp(join(tmpdir(), 'soak-'))
await chmod(folder, 0o755)
const database = await startEmbedded(folder)
const endings: (() => unknown)[] = []
const setting = { databaseUrl: database.url, teardown: (work: () => unknown) => { endings.push(work) } }
try {
  const { perSecond: hashes } = await (await startHashing(setting, AT_ONCE))(3)
  const service = await startService(setting, { env: { TRUSTED_PROXIES: '127.0.0.1' } })
  const { url, pid } = service
  const emails = await accounts(url, database.url, 1_000)

  type Session = { access: string, refresh: string }
  type Tokens = { access_token: string, refresh_token: string }
  const sessions: Session[] = []
  const failures = new Map<string, number>()
  let times: number[] = []
  let done = 0
  const ask = async (path: string, expected: number, init: { body?: object, bearer?: string } = {}): Promise<Tokens | null> => {
    const began = performance.now()
    const what = await fetch(url + path, {
      method: init.body ? 'POST' : 'GET',
      // From many addresses: of one, no more than eight may wait for a hash.
      headers: { 'x-forwarded-for': `192.0.2.${1 + done % 250}`, ...(init.body && { 'content-type': 'application/json' }), ...(init.bearer !== undefined && { authorization: `Bearer ${init.bearer}` }) },
      ...(init.body && { body: JSON.stringify(init.body) }),
    }).then(async answer => ({ status: answer.status, text: await answer.text() }), (error: Error) => ({ status: 0, text: error.message }))
    times.push(performance.now() - began)
    done++
    if (what.status === expected) return what.text === '' ? null : JSON.parse(what.text) as Tokens
    const name = `${path} ${what.status} ${/"code":"(\w+)"/.exec(what.text)?.[1] ?? what.text.slice(0, 60)}`
    failures.set(name, (failures.get(name) ?? 0) + 1)
    return null
  }
  let turn = 0
  const signIn = async () => {
    const tokens = await ask('/v1/auth/login', 200, { body: { email: emails[turn++ % emails.length], password: PASSWORD, refresh: 'body' } })
    if (tokens) sessions.push({ access: tokens.access_token, refresh: tokens.refresh_token })
    const oldest = sessions.length > SESSIONS ? sessions.shift() : undefined
    if (oldest) await ask('/v1/auth/logout', 204, { body: { refresh_token: oldest.refresh } })
  }
  const refresh = async () => {
    // Taken out while it is on its way: nobody else may present that token, or end that session.
    const session = sessions.shift()
    const tokens = session && await ask('/v1/auth/refresh', 200, { body: { refresh_token: session.refresh } })
    if (tokens) sessions.push({ access: tokens.access_token, refresh: tokens.refresh_token })
  }
  const signUp = async () => { await ask('/v1/auth/register', 201, { body: { email: `${randomUUID()}@bench.example`, password: PASSWORD } }) }
  let at = 0
  const verify = async () => {
    const session = sessions[at++ % sessions.length]
    if (session) await ask('/v1/auth/verify', 200, { bearer: session.access })
  }

  const over = new AbortController()
  const running = new Set<Promise<void>>()
  /** When it is due, whatever came of the ones before. */
  const every = async (perSecond: number, work: () => Promise<void>) => {
    const startedAt = performance.now()
    for (let n = 0; !over.signal.aborted; n++) {
      const wait = startedAt + n * 1000 / perSecond - performance.now()
      if (wait > 1) await sleep(wait)
      const one = work().finally(() => running.delete(one))
      running.add(one)
    }
  }
  for (let n = 0; n < SESSIONS / 2; n++) await signIn()
  const half = hashes / 2
  const load = [every(VERIFICATIONS, verify), every(REFRESHES, refresh), every(0.9 * half, signIn), every(0.1 * half, signUp)]
  process.stdout.write(`argon2 alone: ${hashes.toFixed(1)} hashes/s; ${VERIFICATIONS} verifications, ${REFRESHES} refreshes, ${(0.9 * half).toFixed(1)} sign-ins and log-outs, ${(0.1 * half).toFixed(1)} sign-ups a second\n`)
  process.stdout.write('minute  MB   requests/s  p50 ms  p99 ms  cores  failures\n')

  const points: { minute: number, megabytes: number }[] = []
  for (let minute = 1; minute <= minutes; minute++) {
    const cpu = await cpuSeconds(pid)
    const readings: number[] = []
    for (const until = performance.now() + 60_000; performance.now() < until;) {
      await sleep(2_000)
      readings.push(await residentMegabytes(pid))
    }
    const megabytes = quantile(readings, 0.5)
    points.push({ minute, megabytes })
    const failed = [...failures.values()].reduce((sum, count) => sum + count, 0)
    process.stdout.write([String(minute).padStart(6), megabytes.toFixed(1).padStart(6), (done / 60).toFixed(0).padStart(10), quantile(times, 0.5).toFixed(2).padStart(8), quantile(times, 0.99).toFixed(1).padStart(7), ((await cpuSeconds(pid) - cpu) / 60).toFixed(2).padStart(6), String(failed).padStart(8)].join(' ') + '\n')
    times = []
    done = 0
  }
  over.abort()
  await Promise.all(load)
  await Promise.all(running)

  // The caches fill in the first access tokens' lifetime; of a short run the first third is the warm-up.
  const steady = points.slice(Math.min(10, Math.ceil(minutes / 3)))
  const mean = (of: readonly number[]) => of.reduce((sum, value) => sum + value, 0) / of.length
  const [m, mb] = [mean(steady.map(({ minute }) => minute)), mean(steady.map(({ megabytes }) => megabytes))]
  const slope = steady.reduce((sum, point) => sum + (point.minute - m) * (point.megabytes - mb), 0) / steady.reduce((sum, point) => sum + (point.minute - m) ** 2, 0)
  process.stdout.write(`memory grows ${slope.toFixed(2)} MB/min after minute ${points.length - steady.length} (goal: 1); ${failures.size === 0 ? 'no errors' : [...failures].map(([name, count]) => `${count} × ${name}`).join(', ')}\n`)
  if (failures.size > 0 || slope > 1) process.exitCode = 1
} finally {
  for (const end of endings.toReversed()) await end()
  await database.stop()
  for (const path of [folder, database.folder]) await rm(path, { recursive: true, force: true })
}
