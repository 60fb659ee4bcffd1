import { freePort } from '../src/db/embedded/start.ts'
import { mintAccessTokens, openInside } from './inside.ts'
import { against } from './judge.ts'
import { load, ratio, row, type Benchmark, type Load } from './measure.ts'
import { pathOf, signUp, startBare, startService } from './processes.ts'
import { Rotation } from './rotation.ts'

const GOALS = { bare: { atLeast: 0.75 }, without: { atLeast: 0.85 }, first: { atLeast: 0.9 } }
const PATH = '/v1/auth/verify'
const KNOWN = 1_000
/** More than twice of what a node remembers (src/core/tokens/verified-tokens.ts): each is forgotten before it comes again. */
const UNSEEN = 25_000

type Answer = { headers: Record<string, string>, body: string }

/**
 * GET /v1/auth/verify with living tokens in turn: with such as the node has seen before, against a bare Fastify app with the same answer and
 * against the same app on a route that asks for no token; and with such as it sees for the first time, against that route and one signature check.
 */
export const verify: Benchmark = async setting => {
  const [rounds, seconds, unseen] = setting.smoke ? [1, 1, 12_000] : setting.long ? [9, 2, UNSEEN] : [5, 1.5, UNSEEN]
  const metricsPort = await freePort()
  const service = await startService(setting, { env: { METRICS_PORT: String(metricsPort), NODE_OPTIONS: `--import=${pathOf('bench/extra-routes.ts')}` } })
  const { email } = await signUp(service.url)
  const tokens = await mintAccessTokens(await openInside(setting), email, KNOWN + unseen)
  const [known, first] = [tokens.slice(0, KNOWN), tokens.slice(KNOWN)]
  const answer = await ask(service.url, PATH, known[0]!)
  const { 'content-type': type, ...rest } = answer.headers
  const own = Object.entries(rest).filter(([name]) => name.startsWith('x-auth-'))
  service.child.send({ headers: { 'content-type': type, ...Object.fromEntries(own) }, body: answer.body })
  for (const path of ['/bench/without', '/bench/signature']) assertSame(answer, await ask(service.url, path, known[0]!))
  const bare = await startBare(setting, { headers: answer.headers, body: JSON.parse(answer.body) })

  const on = (path: string, of: readonly string[]) => new Rotation(of.map(token => ({ method: 'GET', path, headers: { authorization: `Bearer ${token}` } })))
  const subjects = {
    bare: { server: bare, requests: on('/', known) },
    without: { server: service, requests: on('/bench/without', known) },
    verify: { server: service, requests: on(PATH, known) },
    signature: { server: service, requests: on('/bench/signature', first) },
    first: { server: service, requests: on(PATH, first) },
  }
  type Name = keyof typeof subjects
  const measure = async (name: Name): Promise<Load> => {
    const { server, requests } = subjects[name]
    const run = async (more: { amount?: number } = {}) => await load(server.pid, seconds, { url: server.url, ...requests.options(), ...more })
    // What came for the first time has pushed out what was known.
    if (name === 'verify') await run({ amount: KNOWN })
    const before = await cacheCounts(metricsPort)
    const result = await run()
    const { hit, miss } = await cacheCounts(metricsPort)
    const [hits, misses] = [hit - before.hit, miss - before.miss]
    if (name === 'verify' ? misses > 0 : hits > 0) throw new Error(`${name}: ${hits} tokens were known and ${misses} were not`)
    return result
  }

  const names = Object.keys(subjects) as Name[]
  const loads = Object.fromEntries(names.map(name => [name, [] as Load[]])) as Record<Name, Load[]>
  // Until the compiler is done with it, a route is several times slower.
  for (let round = setting.smoke ? 0 : -2; round < rounds; round++) {
    for (const name of names) {
      const result = await measure(name)
      if (round >= 0) loads[name].push(result)
    }
  }
  const perCpu = (name: Name) => loads[name].map(({ perCpuSecond }) => perCpuSecond)
  const perSecond = (name: Name) => loads[name].map(({ perSecond }) => perSecond)
  const labels: Record<Name, string> = {
    bare: 'bare Fastify route', without: 'the same app without a token', verify: `GET ${PATH}`, signature: 'without a token, and one ECDSA', first: `GET ${PATH}, first time`,
  }
  const unit = 'requests/CPU s'
  return {
    name: 'verify',
    rows: [
      ...names.flatMap(name => [row(labels[name], 'requests/s', perSecond(name)), row(labels[name], unit, perCpu(name))]),
      row('busy: bare Fastify', 'cores', loads.bare.map(({ busy }) => busy)),
      row('busy: generator meanwhile', 'cores', loads.bare.map(({ generator }) => generator)),
    ],
    ratios: {
      'verify : bare (requests/s)': ratio(perSecond('verify'), perSecond('bare')),
      'verify : without (requests/s)': ratio(perSecond('verify'), perSecond('without')),
      'first : signature (requests/s)': ratio(perSecond('first'), perSecond('signature')),
    },
    judged: [
      against(`${KNOWN} tokens in turn`, GOALS.bare, unit, perCpu('verify'), labels.bare, perCpu('bare')),
      against(`${KNOWN} tokens in turn`, GOALS.without, unit, perCpu('verify'), labels.without, perCpu('without')),
      against('each for the first time', GOALS.first, unit, perCpu('first'), labels.signature, perCpu('signature')),
    ],
  }
}

/** By connection and by moment: not what an answer says. */
const PASSING = ['date', 'connection', 'keep-alive', 'content-length']

async function ask (url: string, path: string, token: string): Promise<Answer> {
  const answer = await fetch(url + path, { headers: { authorization: `Bearer ${token}` } })
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`)
  const headers: Record<string, string> = {}
  answer.headers.forEach((value, name) => { if (!PASSING.includes(name)) headers[name] = value })
  return { headers, body: await answer.text() }
}

function assertSame (one: Answer, other: Answer): void {
  const form = ({ headers, body }: Answer) => JSON.stringify([Object.entries({ ...headers, 'x-request-id': '' }).toSorted(), body])
  if (form(one) !== form(other)) throw new Error(`the answers differ: ${form(one)} ${form(other)}`)
}

async function cacheCounts (port: number): Promise<{ hit: number, miss: number }> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const count = (cache: string) => Number(new RegExp(`^stateless_auth_verifications_total\\{outcome="accepted",cache="${cache}"\\} (\\d+)`, 'm').exec(text)?.[1] ?? 0)
  return { hit: count('hit'), miss: count('miss') }
}
