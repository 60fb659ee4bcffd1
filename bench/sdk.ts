import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { randomBytes, randomUUID } from 'node:crypto'
import { createRemoteJWKSet, exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose'
import { createVerifier } from '../src/sdk/verifier/index.ts'

// What the verifier costs beyond the signature: tokens seen for the first time, through the SDK and through jose alone (keys in memory, the
// same issuer, audience and typ checked). Each kind of which something ended costs one digest, of 3 µs. Goal: at least 0.90 of bare jose.
//   node bench/sdk.ts [--smoke]

const smoke = process.argv.includes('--smoke')
const [TOKENS, ROUNDS] = smoke ? [100, 2] : [2_000, 15]
const BATCH = 50
const audience = 'https://api.example'

const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
const jwk = { ...await exportJWK(publicKey), kid: 'k', alg: 'ES256', use: 'sig' }
const endings = (kinds: string): unknown[] => Array.from({ length: 20_000 }, (_, at) => [kinds[at % kinds.length], randomBytes(12).toString('base64url'), Date.now() / 1000 + 600, 2])
let entries: readonly unknown[] = []
const server = createServer(({ url }, answer) => {
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const document = { v: 1, feed: randomUUID(), cursor: 'c', as_of: Date.now() / 1000, ttl: 720, full: true, e: entries }
  if (url!.endsWith('/stream')) {
    answer.writeHead(200, { 'content-type': 'text/event-stream' }).write(`id: c\nevent: full\ndata: ${JSON.stringify(document)}\n\n`)
    return
  }
  answer.writeHead(200, { 'content-type': 'application/json' })
  answer.end(JSON.stringify(url!.endsWith('jwks.json') ? { keys: [jwk] } : url!.includes('well-known') ? { issuer, jwks_uri: `${issuer}/jwks.json` } : document))
}).listen(0, '127.0.0.1')
await new Promise(resolve => server.once('listening', resolve))
const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

const tokens = await Promise.all(Array.from({ length: TOKENS }, async () => {
  const sid = randomUUID()
  return await new SignJWT({ client_id: 'app', jti: `${sid}.1`, sid, ver: 1, auth_time: 1, amr: ['pwd'], acr: 'aal1', scope: 'account', roles: [] })
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'k' }).setIssuer(issuer).setAudience(audience).setSubject(randomUUID()).setIssuedAt().setExpirationTime('10m').sign(privateKey)
}))

const keys = createRemoteJWKSet(new URL(`${issuer}/jwks.json`))
const bare = async (token: string): Promise<unknown> => await jwtVerify(token, keys, { algorithms: ['ES256', 'RS256'], typ: 'at+jwt', issuer, audience, clockTolerance: 60 })

type Verify = (token: string) => Promise<unknown>
/** Seconds of wall clock and of processor, all threads: the latter is what a machine that does other things as well can tell. */
async function costOf (verify: Verify, batch: readonly string[]): Promise<[wall: number, cpu: number]> {
  const began = performance.now()
  const before = process.cpuUsage()
  for (const token of batch) await verify(token)
  const { user, system } = process.cpuUsage(before)
  return [(performance.now() - began) / 1000, (user + system) / 1e6]
}

const median = (numbers: number[]): number => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!

for (const [feed, content] of [['empty feed', []], ['20,000 sessions and users ended', endings('su')], ['and single tokens', endings('suj')]] as const) {
  entries = content
  const verifier = createVerifier({ issuer, audience })
  await verifier.verify(tokens[0]!, { maxStaleness: 5 })
  await costOf(verifier.verify, tokens)
  await costOf(bare, tokens)
  const [sdk, jose]: [[number, number][], [number, number][]] = [[], []]
  // In turns, a few at a time, so that whatever else the machine does falls on both.
  for (let at = 0; at < TOKENS * ROUNDS / BATCH; at++) {
    const batch = tokens.slice(at * BATCH % TOKENS, at * BATCH % TOKENS + BATCH)
    if (at % 2 === 0) sdk.push(await costOf(verifier.verify, batch))
    jose.push(await costOf(bare, batch))
    if (at % 2 === 1) sdk.push(await costOf(verifier.verify, batch))
  }
  verifier.close()
  const [wall, cpu] = [0, 1].map(of => median(jose.map(cost => cost[of]!)) / median(sdk.map(cost => cost[of]!)))
  const rate = (costs: [number, number][]): number => Math.round(BATCH / median(costs.map(([wall]) => wall)))
  console.log(`${feed}: SDK ${rate(sdk)}/s, jose ${rate(jose)}/s, ratio ${wall!.toFixed(3)} by the clock, ${cpu!.toFixed(3)} of the processor (goal ≥ 0.90)`)
}
server.closeAllConnections()
server.close()
