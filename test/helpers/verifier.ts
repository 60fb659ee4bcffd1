import type { Test } from 'tap'
import { createVerifier, VerifierError, type Verifier, type VerifierEvent, type VerifierOptions } from '../../src/sdk/verifier/index.ts'
import { proxy, type Proxy } from './proxy.ts'
import { world, type World } from './world.ts'

export type Elsewhere = World & {
  verifier: Verifier, events: VerifierEvent[], balancer: Proxy
  /** The address of this node itself. */
  address: string
  /** `good`, or the code of the refusal. Anything but a VerifierError fails the test. */
  ask: (token: string, options?: { maxStaleness?: number }, by?: Verifier) => Promise<string>
  /** Another service's verifier, behind the same balancer. */
  anotherVerifier: (options?: Partial<VerifierOptions>) => Verifier
}

/** A listening node behind a balancer, and a service elsewhere that verifies its tokens. */
export async function elsewhere (t: Test, env: Record<string, string> = {}): Promise<Elsewhere> {
  const balancer = await proxy(t)
  const w = await world(t, { PUBLIC_URL: balancer.url, TOKEN_AUDIENCE: 'https://api.example', ...env })
  const address = await w.app.listen({ host: '127.0.0.1', port: 0 })
  balancer.to(address)
  const events: VerifierEvent[] = []
  const anotherVerifier = (options: Partial<VerifierOptions> = {}) => {
    const verifier = createVerifier({ issuer: balancer.url, audience: 'https://api.example', ...options })
    t.teardown(() => verifier.close())
    return verifier
  }
  const verifier = anotherVerifier({ onEvent: event => { events.push(event) } })
  const ask: Elsewhere['ask'] = async (token, options, by = verifier) => {
    try { await by.verify(token, options); return 'good' } catch (error) {
      if (error instanceof VerifierError) return error.code
      throw error
    }
  }
  return { ...w, verifier, events, balancer, address, ask, anotherVerifier }
}
