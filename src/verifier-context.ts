import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from './config.ts'
import type { VerifierContext } from './context.ts'
import { UpstreamEndings } from './core/upstream/endings.ts'
import { UpstreamKeys } from './core/upstream/keys.ts'
import { Upstream } from './core/upstream/upstream.ts'
import { systemClock, type Clock } from './lib/clock.ts'
import type { Log } from './log.ts'

const FIRST_READ_MS = 2_000

/**
 * A node without a database: keys and endings come from an upstream, once it is known to speak for our issuer. An upstream that
 * is away keeps it from being ready, not from starting.
 */
export async function openVerifierContext ({ config, log, clock = systemClock }: { config: Config, log: Log, clock?: Clock }): Promise<{ ctx: VerifierContext, close: () => void }> {
  const upstream = new Upstream(config.upstreamUrl!)
  const revocations: UpstreamEndings = new UpstreamEndings({ upstream, log, confirmIssuer: async () => await keyring.reload() })
  const keyring: UpstreamKeys = new UpstreamKeys({
    upstream, clock, log, issuer: config.publicUrl, jwksMaxAgeSeconds: config.jwksMaxAgeSeconds, isRevoked: kid => revocations.isKeyRevoked(kid),
  })
  revocations.onKeyRevoked(async () => await keyring.reread())
  const loaded = new AbortController()
  const stop = revocations.onRead(() => loaded.abort())
  keyring.start()
  revocations.start()
  await sleep(FIRST_READ_MS, undefined, { signal: loaded.signal }).catch(() => {})
  stop()
  return { ctx: { config, log, clock, keyring, revocations }, close: () => { revocations.stop(); keyring.stop() } }
}
