import type { Test } from 'tap'
import { loadConfig } from '../../src/config.ts'
import type { VerifierContext } from '../../src/context.ts'
import { openVerifierContext } from '../../src/verifier-context.ts'
import { proxy, type Proxy } from './proxy.ts'
import { serveNode, world, type Node, type World } from './world.ts'

export type Relay = Omit<Node, 'ctx'> & { ctx: VerifierContext, url: string }

/** A listening node without a database, in this process. */
export async function relayOn (t: Test, upstreamUrl: string, env: Record<string, string> = {}): Promise<Relay> {
  const config = loadConfig({ MODE: 'verifier', UPSTREAM_URL: upstreamUrl, RATE_LIMIT_SCALE: '100000', DRAIN_SECONDS: '0', ...env }, () => '')
  const node = await serveNode(t, async deps => await openVerifierContext({ config, ...deps }))
  return { ...node, url: await node.app.listen({ host: '127.0.0.1', port: 0 }) }
}

/** A full node, the wire from it, and a relay at the other end. */
export async function relayed (t: Test, env: Record<string, string> = {}): Promise<World & { wire: Proxy, relay: Relay, nodeUrl: string, anotherRelay: (upstreamUrl?: string, env?: Record<string, string>) => Promise<Relay> }> {
  const wire = await proxy(t)
  const issuer = 'https://auth.example.com'
  const w = await world(t, { PUBLIC_URL: issuer, ...env })
  const nodeUrl = await w.app.listen({ host: '127.0.0.1', port: 0 })
  wire.to(nodeUrl)
  const anotherRelay = async (upstreamUrl = wire.url, env: Record<string, string> = {}) => await relayOn(t, upstreamUrl, { PUBLIC_URL: issuer, ...env })
  return { ...w, wire, nodeUrl, anotherRelay, relay: await anotherRelay() }
}
