import { setTimeout as sleep } from 'node:timers/promises'
import { once } from 'node:events'
import { hashConcurrency } from '../src/core/passwords/admission.ts'
import { against, byItself } from './judge.ts'
import { cpuSeconds, ratio, residentMegabytes, row, type Benchmark } from './measure.ts'
import { openLoop, quantile, type Sample, type Stream } from './open-loop.ts'
import { accounts, PASSWORD, pathOf, signIns, startServer, startService, verifications } from './processes.ts'

const AT_ONCE = hashConcurrency(1)
const ROUNDS = 5
const [VERIFICATIONS, SIGN_INS, ADDRESSES] = [500, 500, 200]
/** Of one hash. */
const HASH_MEGABYTES = 19

/**
 * Ten times the sign-ins that can be hashed arrive, from many addresses, whether or not anybody answers. What becomes of verification meanwhile, of the
 * surplus, of memory, and of somebody who only wants to sign in? Beside it the same verification with nothing else, and beside the same number of hashes in another process.
 */
export const flood: Benchmark = async setting => {
  const [floodSeconds, seconds, rounds] = setting.smoke ? [2, 1, 1] : [60, 3, ROUNDS]
  const service = await startService(setting, { env: { TRUSTED_PROXIES: '127.0.0.1' } })
  const generator = openLoop(setting)
  const burner = await startServer(setting, [pathOf('bench/raw-argon2.ts')], { UV_THREADPOOL_SIZE: String(AT_ONCE + 4), CONCURRENCY: String(AT_ONCE) }, '/')
  const known = await accounts(service.url, setting.databaseUrl, 2_000)
  const neighbours = known.splice(0, 100)
  const verify: Stream = { perSecond: VERIFICATIONS, requests: verifications(await signIns(service.url, 20)) }
  const signIn: Stream = {
    perSecond: SIGN_INS,
    addresses: ADDRESSES,
    requests: known.map(email => ({ method: 'POST', path: '/v1/auth/login', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ email, password: PASSWORD, refresh: 'body' }) })),
  }
  const pids = { 'service, all threads': service.pid, 'service, event loop': `${service.pid}/task/${service.pid}`, generator: generator.pid }
  const cpu = async () => await Promise.all(Object.values(pids).map(cpuSeconds))
  const { url } = service

  await generator.run({ url, seconds: setting.smoke ? 1 : 5, streams: [verify] })
  const idle = await residentMegabytes(service.pid)
  const alone: Sample[][] = []
  const besideHashes: Sample[][] = []
  for (let round = 0; round < rounds; round++) {
    alone.push((await generator.run({ url, seconds, streams: [verify] }))[0]!)
    burner.child.send(seconds * 1000)
    const hashed = once(burner.child, 'message')
    besideHashes.push((await generator.run({ url, seconds, streams: [verify] }))[0]!)
    await hashed
  }

  const over = new AbortController()
  const resident: number[] = []
  const watching = (async () => { while (!over.signal.aborted) { resident.push(await residentMegabytes(service.pid)); await sleep(100) } })()
  const waits = signInOneByOne(url, neighbours, over.signal)
  const before = await cpu()
  const [verified, signedIn] = await generator.run({ url, seconds: floodSeconds, streams: [verify, signIn] }) as [Sample[], Sample[]]
  const busy = (await cpu()).map((after, n) => (after - before[n]!) / floodSeconds)
  over.abort()
  await watching
  const tookMs = await waits

  const fifths = Array.from({ length: rounds }, (_, n) => verified.slice(n * verified.length / rounds, (n + 1) * verified.length / rounds))
  const wrong = [...verified, ...alone.flat(), ...besideHashes.flat()].filter(({ what }) => what !== '200')
  if (wrong.length > 0) throw new Error(`verify was answered ${wrong.length} times otherwise than 200: ${wrong[0]!.what}`)
  const refused = signedIn.filter(({ what }) => what !== '200')
  const counts = Map.groupBy(signedIn, ({ what }) => what)
  const unkind = refused.filter(({ what, retryAfter }) => !/^(503|429) /.test(what) || !retryAfter).length
  const p99 = (samples: Sample[][]) => samples.map(round => quantile(round.map(({ ms }) => ms), 0.99))
  const served = (samples: Sample[][]) => samples.map(round => quantile(round.map(({ ms, lateMs }) => ms - lateMs), 0.99))
  const late = (samples: Sample[]) => quantile(samples.map(({ lateMs }) => lateMs), 0.99)
  return {
    name: 'flood',
    rows: [
      row('verify alone, p99', 'ms', p99(alone)),
      row('verify beside hashes of another process, p99', 'ms', p99(besideHashes)),
      row('verify in the flood, p99', 'ms', p99(fifths)),
      row('verify alone, p99 since it was sent', 'ms', served(alone)),
      row('verify beside hashes, p99 since it was sent', 'ms', served(besideHashes)),
      row('verify in the flood, p99 since it was sent', 'ms', served(fifths)),
      row('generator late, alone, p99', 'ms', alone.map(late)),
      row('generator late, in the flood, p99', 'ms', fifths.map(late)),
      row('sign-ins done', '/s', [(counts.get('200')?.length ?? 0) / floodSeconds]),
      ...[...counts].filter(([what]) => what !== '200').map(([what, of]) => row(`sign-ins answered ${what}`, '/s', [of.length / floodSeconds])),
      row('surplus refused, p99', 'ms', [quantile(refused.map(({ ms }) => ms), 0.99)]),
      row('surplus refused, p50', 'ms', [quantile(refused.map(({ ms }) => ms), 0.5)]),
      row('surplus without 503 or 429 and Retry-After', 'answers', [unkind]),
      row('a neighbour\'s sign-in, with its waits', 'ms', tookMs),
      row('memory before', 'MB', [idle]),
      row('memory in the flood, at most', 'MB', [Math.max(...resident)]),
      ...Object.keys(pids).map((name, n) => row(`CPU in the flood: ${name}`, 'cores', [busy[n]!])),
    ],
    judged: [
      against('verify, p99', { atMost: 3 }, 'ms', p99(fifths), 'without the flood', p99(alone)),
      byItself('surplus refused, p99', { atMost: 100 }, 'ms', [quantile(refused.map(({ ms }) => ms), 0.99)]),
      byItself('a neighbour\'s sign-in', { atMost: 5_000 }, 'ms', tookMs),
      byItself('memory, loaded', { atMost: 200 }, 'MB', [Math.max(...resident)]),
      against('memory at most', { atMost: 1.2 }, 'MB', [Math.max(...resident)], 'idle and its hashes', [idle + AT_ONCE * HASH_MEGABYTES]),
    ],
    ratios: {
      'verify p99: beside hashes : alone': ratio(p99(besideHashes), p99(alone)),
      'verify p99 since sent: in the flood : alone': ratio(served(fifths), served(alone)),
    },
    note: `${SIGN_INS} sign-ins/s from ${ADDRESSES} addresses, ${VERIFICATIONS} verifications/s, ${floodSeconds} s.`,
  }
}

/** Users who only want to sign in, each from an address of its own, one every three seconds. One who is refused comes back when told to. @returns ms until each was in */
async function signInOneByOne (url: string, emails: readonly string[], over: AbortSignal): Promise<number[]> {
  const done: Promise<number>[] = []
  for (const [n, email] of emails.entries()) {
    if (over.aborted) break
    done.push((async () => {
      const began = performance.now()
      for (;;) {
        const answer = await fetch(`${url}/v1/auth/login`, {
          method: 'POST', headers: { 'content-type': 'application/json', 'x-forwarded-for': `192.0.2.${1 + n}` }, body: JSON.stringify({ email, password: PASSWORD }),
        })
        await answer.arrayBuffer()
        if (answer.ok) return performance.now() - began
        const wait = Number(answer.headers.get('retry-after'))
        if (!(wait > 0)) throw new Error(`a neighbour was answered ${answer.status}`)
        await sleep(wait * 1000)
      }
    })())
    await Promise.race([sleep(3_000), new Promise(resolve => { over.addEventListener('abort', resolve) })])
  }
  return await Promise.all(done)
}
