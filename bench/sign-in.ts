import { hashConcurrency } from '../src/core/passwords/admission.ts'
import { against } from './judge.ts'
import { load, row, type Benchmark, type Load } from './measure.ts'
import { signUp, startService } from './processes.ts'
import { startHashing, type Hashes } from './hashing.ts'

const GOAL = { atLeast: 0.92 }
const AT_ONCE = hashConcurrency(1)

/** Sign-ins with all that belongs to one, against argon2 alone with the same parameters and as many at once. */
export const signIn: Benchmark = async setting => {
  const [rounds, seconds, users] = setting.smoke ? [1, 1, 2] : setting.long ? [9, 3, 20] : [5, 2.5, 20]
  const service = await startService(setting, { env: { TRUSTED_PROXIES: '127.0.0.1' } })
  const credentials: object[] = []
  for (let n = 0; n < users; n++) credentials.push(await signUp(service.url))
  // As the service hashes: a heap of its own for each thread would be slower.
  const raw = await startHashing(setting, AT_ONCE, { MALLOC_ARENA_MAX: '1' })
  const requests = credentials.map((body, at) => ({
    method: 'POST' as const, path: '/v1/auth/login', body: JSON.stringify({ ...body, refresh: 'body' }),
    // Each user is at home: an address may have eight in the queue, and sixteen at once.
    headers: { 'content-type': 'application/json', 'x-forwarded-for': `192.0.2.${at}` },
  }))
  const hashes: Hashes[] = []
  const signIns: Load[] = []
  for (let round = setting.smoke ? 0 : -1; round < rounds; round++) {
    const alone = await raw(seconds)
    // Enough that a hash is always waiting.
    const whole = await load(service.pid, seconds, { url: service.url, requests, connections: AT_ONCE + 4 })
    if (round < 0) continue
    hashes.push(alone)
    signIns.push(whole)
  }
  const of = (loads: readonly (Load | Hashes)[], by: keyof Hashes) => loads.map(load => load[by])
  return {
    name: 'sign-in',
    rows: [
      row(`argon2 alone, ${AT_ONCE} at once`, 'hashes/s', of(hashes, 'perSecond')),
      row('POST /v1/auth/login', 'sign-ins/s', of(signIns, 'perSecond')),
      row('CPU of argon2 alone', 'ms/hash', of(hashes, 'perCpuSecond').map(rate => 1000 / rate)),
      row('CPU of the service', 'ms/sign-in', of(signIns, 'perCpuSecond').map(rate => 1000 / rate)),
    ],
    judged: [
      against('all stages', GOAL, 'sign-ins/s', of(signIns, 'perSecond'), 'argon2 alone', of(hashes, 'perSecond')),
      against('all stages, processor', GOAL, 'sign-ins/CPU s', of(signIns, 'perCpuSecond'), 'argon2 alone', of(hashes, 'perCpuSecond')),
    ],
  }
}
