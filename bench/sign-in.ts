import { once } from 'node:events'
import { hashConcurrency } from '../src/core/passwords/admission.ts'
import { load, ratio, row, type Benchmark, type Load } from './measure.ts'
import { pathOf, signUp, startServer, startService } from './processes.ts'

const AT_ONCE = hashConcurrency(1)

/** Sign-ins a second, against argon2 alone with the same parameters and as many at once. */
export const signIn: Benchmark = async setting => {
  const [rounds, seconds, users] = setting.smoke ? [1, 2, 2] : [5, 4, 20]
  const service = await startService(setting)
  const credentials: object[] = []
  for (let n = 0; n < users; n++) credentials.push(await signUp(service.url))
  const raw = await startServer(setting, [pathOf('bench/raw-argon2.ts')], { UV_THREADPOOL_SIZE: String(AT_ONCE + 4), CONCURRENCY: String(AT_ONCE) }, '/')
  const requests = credentials.map(body => ({
    method: 'POST' as const, path: '/v1/auth/login', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ ...body, refresh: 'body' }),
  }))
  const hashes: number[] = []
  const signIns: Load[] = []
  for (let round = 0; round < rounds; round++) {
    raw.child.send(seconds * 1000)
    hashes.push((await once(raw.child, 'message') as [number])[0])
    // Enough that a hash is always waiting; an address may have eight in the queue.
    signIns.push(await load(service.pid, seconds, { url: service.url, requests, connections: AT_ONCE + 4 }))
  }
  const rate = signIns.map(({ perSecond }) => perSecond)
  return {
    name: 'sign-in',
    rows: [
      row(`argon2 alone, ${AT_ONCE} at once`, 'hashes/s', hashes),
      row('POST /v1/auth/login', 'sign-ins/s', rate),
      row('CPU of the service', 'ms/sign-in', signIns.map(({ perCpuSecond }) => 1000 / perCpuSecond)),
    ],
    ratios: { 'sign-ins : hashes': ratio(rate, hashes) },
  }
}
