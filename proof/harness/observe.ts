// The process behind observer.ts: asks each node directly, not through the balancer, and a verifier of the SDK, again and again,
// until the ended token is refused.
import { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { createVerifier, VerifierError } from '../../src/sdk/verifier/index.ts'
import { exchange } from './http.ts'
import type { Ended, Question, Setup } from './observer.ts'
import { cachingVerifier } from './outside.ts'

const EVERY_MS = 20

const { issuer, nodes, patienceMs, outside } = JSON.parse(process.argv[2]!) as Setup
const agent = new Agent({ keepAlive: true })
const verifier = createVerifier({ issuer, audience: issuer })
const outsiders = Array.from({ length: outside }, () => cachingVerifier(issuer))
const now = (): number => performance.timeOrigin + performance.now()

const verdict = async (token: string): Promise<string> => {
  try { await verifier.verify(token); return 'good' } catch (error) { return error instanceof VerifierError ? error.code : `threw ${String(error)}` }
}

/** Milliseconds from the acknowledgement to the refusal, or what it said to the last: `good`, or the code of another refusal. */
async function untilVerifierRefuses ({ token, at }: Ended): Promise<number | string> {
  for (;;) {
    const code = await verdict(token)
    if (code === 'revoked') return now() - at
    if (code !== 'good' || now() - at > patienceMs) return code
    await sleep(EVERY_MS)
  }
}

/**
 * A node that is down accepts nothing: the time in which it could not be asked does not count, all other does. `good`: it accepted the
 * token to the last; `unseen`: it could not be asked.
 */
async function untilNodeRefuses (url: string, { token, at }: Ended): Promise<number | string> {
  let [downMs, answeredAt, accepts] = [0, at, false]
  while (now() - at < patienceMs) {
    const answer = await exchange({ method: 'GET', url: `${url}/v1/auth/verify`, headers: { authorization: `Bearer ${token}` }, agent }).catch(() => null)
    if (answer?.status === 401) return now() - at - downMs
    accepts = answer?.status === 200
    if (!accepts) downMs += now() - answeredAt
    answeredAt = now()
    await sleep(EVERY_MS)
  }
  return accepts ? 'good' : 'unseen'
}

async function answer ({ ended, token }: Question) {
  if (token !== undefined) return { sdk: await verdict(token), outside: await Promise.all(outsiders.map(verify => verify(token))) }
  const others = nodes.filter(({ name }) => name !== ended!.servedBy)
  const [sdk, ...seen] = await Promise.all([untilVerifierRefuses(ended!), ...others.map(async ({ name, url }) => ({ name, took: await untilNodeRefuses(url, ended!) }))])
  return { sdk, nodes: seen }
}

process.on('message', async (question: Question) => { process.send!({ id: question.id, ...await answer(question) }) })
process.on('disconnect', () => process.exit())
verifier.start()
process.send!('ready')
