import { generateKeyPairSync, sign, verify as verifySignature } from 'node:crypto'
import { load, ratio, row, type Benchmark, type Load } from './measure.ts'
import { signIns, startBare, startService, verifications } from './processes.ts'

const TOKENS = 50

/** GET /v1/auth/verify with living tokens in turn, against a bare route with the same answer, and what its ECDSA alone would allow. */
export const verify: Benchmark = async setting => {
  const [rounds, seconds] = setting.smoke ? [1, 2] : [5, 3]
  const service = await startService(setting)
  const sessions = await signIns(service.url, setting.smoke ? 3 : TOKENS)
  const bare = await startBare(setting, await anAnswer(service.url, sessions[0]!.access_token))
  const requests = verifications(sessions)

  const subjects = {
    bare: () => load(bare.pid, seconds, { url: bare.url }),
    livez: () => load(service.pid, seconds, { url: `${service.url}/livez` }),
    verify: () => load(service.pid, seconds, { url: service.url, requests }),
  }
  // Until the compiler is done with it, a route is several times slower.
  if (!setting.smoke) for (const measure of Object.values(subjects)) await measure()
  const measured = { bare: [] as Load[], livez: [] as Load[], verify: [] as Load[], ecdsa: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    measured.ecdsa.push(ecdsaPerSecond())
    for (const [name, measure] of Object.entries(subjects)) measured[name as keyof typeof subjects].push(await measure())
  }
  const perCpu = (name: keyof typeof subjects) => measured[name].map(({ perCpuSecond }) => perCpuSecond)
  const perSecond = (name: keyof typeof subjects) => measured[name].map(({ perSecond }) => perSecond)
  const ideal = perCpu('bare').map((rate, round) => 1 / (1 / rate + 1 / measured.ecdsa[round]!))
  return {
    name: 'verify',
    rows: [
      row('bare Fastify route', 'requests/s', perSecond('bare')),
      row('GET /livez', 'requests/s', perSecond('livez')),
      row('GET /v1/auth/verify', 'requests/s', perSecond('verify')),
      row('bare Fastify route', 'requests/CPU s', perCpu('bare')),
      row('GET /livez', 'requests/CPU s', perCpu('livez')),
      row('GET /v1/auth/verify', 'requests/CPU s', perCpu('verify')),
      row('ES256 signature check alone', 'checks/CPU s', measured.ecdsa),
      row('generator: bare server was busy', 'cores', measured.bare.map(({ busy }) => busy)),
    ],
    ratios: {
      'verify : bare (requests/s)': ratio(perSecond('verify'), perSecond('bare')),
      'verify : bare (per CPU s)': ratio(perCpu('verify'), perCpu('bare')),
      'verify : bare and one ECDSA (per CPU s)': ratio(perCpu('verify'), ideal),
      'verify : livez (per CPU s)': ratio(perCpu('verify'), perCpu('livez')),
    },
    note: 'Where the bare server was busy for less than 0.9 cores the generator was the limit: then read the figures per CPU second.',
  }
}

async function anAnswer (url: string, token: string): Promise<{ headers: Record<string, string>, body: unknown }> {
  const answer = await fetch(`${url}/v1/auth/verify`, { headers: { authorization: `Bearer ${token}` } })
  if (!answer.ok) throw new Error(`verify answered ${answer.status}`)
  const headers: Record<string, string> = {}
  answer.headers.forEach((value, name) => { if (!['date', 'connection', 'keep-alive', 'content-length'].includes(name)) headers[name] = value })
  return { headers, body: await answer.json() }
}

function ecdsaPerSecond (): number {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const data = Buffer.alloc(500, 'a')
  const key = { key: publicKey, dsaEncoding: 'ieee-p1363' as const }
  const signature = sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' })
  const before = process.cpuUsage()
  let count = 0
  for (const end = performance.now() + 300; performance.now() < end; count++) verifySignature('sha256', data, key, signature)
  const { user, system } = process.cpuUsage(before)
  return count / ((user + system) / 1e6)
}
