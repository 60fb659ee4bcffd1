import { randomBytes, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRemoteJWKSet, exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose'
import { createVerifier } from '../src/sdk/verifier/index.ts'
import { against, type Judged } from './judge.ts'
import { ratio, row, type Benchmark, type Result, type Row } from './measure.ts'

const GOALS = { first: { atLeast: 0.9 }, cached: { atLeast: 5 } }
const BATCH = 50
const audience = 'https://api.example'

type Verify = (token: string) => Promise<unknown>
type Cost = { wall: number, cpu: number }

/**
 * What a verifier costs beside jose alone, which has the keys in memory and checks the same issuer, audience and typ: with tokens that it has
 * not seen, and with such as it has. Each kind of which something ended costs one digest, of 3 µs.
 */
export const sdk: Benchmark = async setting => {
  const [rounds, size] = setting.smoke ? [1, 100] : setting.long ? [9, 1_500] : [5, 1_000]
  const issued = await startIssuer(setting.teardown)
  const tokens = await issued.sign((rounds + 1) * size)
  const keys = createRemoteJWKSet(new URL(`${issued.issuer}/jwks.json`))
  const bare: Verify = async token => await jwtVerify(token, keys, { algorithms: ['ES256', 'RS256'], typ: 'at+jwt', issuer: issued.issuer, audience, clockTolerance: 60 })
  const rows: Row[] = []
  const judged: Judged[] = []
  const ratios: NonNullable<Result['ratios']> = {}
  const endings = setting.smoke ? 200 : 20_000
  for (const [feed, kinds] of [['nothing ended', ''], [`${endings} sessions and users ended`, 'su'], [`${endings} of every kind ended`, 'suj']] as const) {
    issued.end(kinds, endings)
    const verifier = createVerifier({ issuer: issued.issuer, audience })
    await verifier.verify(tokens[0]!, { maxStaleness: 5 })
    const seen = tokens.slice(0, size)
    const costs = { first: [] as Pair[], cached: [] as Pair[] }
    for (let round = 1; round <= rounds; round++) {
      // Those of the round before may have pushed them out.
      await inTurns(verifier.verify, bare, seen)
      costs.cached.push(await inTurns(verifier.verify, bare, seen))
      costs.first.push(await inTurns(verifier.verify, bare, tokens.slice(round * size, (round + 1) * size)))
    }
    verifier.close()
    for (const kind of ['first', 'cached'] as const) {
      const rates = (of: keyof Pair, by: keyof Cost) => costs[kind].map(pair => size / pair[of][by])
      const label = `${kind === 'first' ? 'first time' : 'seen before'}, ${feed}`
      rows.push(row(`${label}: SDK`, 'tokens/s', rates('sdk', 'wall')), row(`${label}: jose`, 'tokens/s', rates('jose', 'wall')))
      ratios[`${label}: SDK : jose (tokens/s)`] = ratio(rates('sdk', 'wall'), rates('jose', 'wall'))
      judged.push(against(label, GOALS[kind], 'tokens/CPU s', rates('sdk', 'cpu'), 'jose.jwtVerify', rates('jose', 'cpu')))
    }
  }
  return { name: 'sdk', rows, ratios, judged }
}

type Pair = { sdk: Cost, jose: Cost }

/** A few at a time, so that whatever else the machine does falls on both. */
async function inTurns (sdk: Verify, jose: Verify, tokens: readonly string[]): Promise<Pair> {
  const pair: Pair = { sdk: { wall: 0, cpu: 0 }, jose: { wall: 0, cpu: 0 } }
  const order: [Cost, Verify][] = [[pair.sdk, sdk], [pair.jose, jose]]
  for (let at = 0; at < tokens.length; at += BATCH) {
    for (const [cost, verify] of order) await addCost(cost, verify, tokens.slice(at, at + BATCH))
    order.reverse()
  }
  return pair
}

/** Seconds of wall clock and of processor, all threads: the latter is what a machine that does other things as well can tell. */
async function addCost (cost: Cost, verify: Verify, batch: readonly string[]): Promise<void> {
  const [began, before] = [performance.now(), process.cpuUsage()]
  for (const token of batch) await verify(token)
  const { user, system } = process.cpuUsage(before)
  cost.wall += (performance.now() - began) / 1000
  cost.cpu += (user + system) / 1e6
}

/** What a verifier asks of the service: metadata, keys, and a feed with endings that concern nobody here. */
async function startIssuer (teardown: (work: () => unknown) => void) {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = { ...await exportJWK(publicKey), kid: 'k', alg: 'ES256', use: 'sig' }
  let entries: readonly unknown[] = []
  const server = createServer(({ url }, answer) => {
    const document = { v: 1, feed: randomUUID(), cursor: 'c', as_of: Date.now() / 1000, ttl: 720, full: true, e: entries }
    if (url!.endsWith('/stream')) {
      answer.writeHead(200, { 'content-type': 'text/event-stream' }).write(`id: c\nevent: full\ndata: ${JSON.stringify(document)}\n\n`)
      return
    }
    answer.writeHead(200, { 'content-type': 'application/json' })
    answer.end(JSON.stringify(url!.endsWith('jwks.json') ? { keys: [jwk] } : url!.includes('well-known') ? { issuer, jwks_uri: `${issuer}/jwks.json` } : document))
  }).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  teardown(() => { server.closeAllConnections(); server.close() })
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const signOne = async () => {
    const sid = randomUUID()
    return await new SignJWT({ client_id: 'app', jti: `${sid}.1`, sid, ver: 1, auth_time: 1, amr: ['pwd'], acr: 'aal1', scope: 'account', roles: [] })
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'k' }).setIssuer(issuer).setAudience(audience).setSubject(randomUUID()).setIssuedAt().setExpirationTime('1h').sign(privateKey)
  }
  return {
    issuer,
    sign: async (count: number) => await Promise.all(Array.from({ length: count }, signOne)),
    end: (kinds: string, count: number) => {
      entries = kinds === '' ? [] : Array.from({ length: count }, (_, at) => [kinds[at % kinds.length], randomBytes(12).toString('base64url'), Date.now() / 1000 + 600, 2])
    },
  }
}
