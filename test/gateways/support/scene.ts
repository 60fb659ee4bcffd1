import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import { run as command } from '../../../src/cli/run.ts'
import { forgeFrom } from '../../helpers/forge.ts'
import { proxy, type Proxy } from '../../helpers/proxy.ts'
import { world, type Tokens, type World } from '../../helpers/world.ts'
import { raw, request, type Answer } from './gateway.ts'
import { headerOf, protectedUpstream, type Arrival, type Upstream } from './upstream.ts'

export const AUDIENCE = 'https://api.example'

export type Scene = World & {
  /** Stands between the gateway and the node; it is the PUBLIC_URL. */
  service: Proxy
  /** host:port of the same, as configurations want it. */
  serviceAddress: string
  address: string, upstream: Upstream
  operator: (...args: string[]) => Promise<void>
}
export type Gateway = {
  port: number
  /** It cannot tell a service that is away from a token that is bad. */
  calls401?: true
  /** Shapes that it cannot tell from good ones, and why; each must still pass, or it has to leave the list. */
  accepts?: Record<string, string>
}
export type Protected = Scene & { gateway: Gateway, mine: Tokens, ask: Ask }
export type Ask = (target?: string, options?: { method?: string, bearer?: string, headers?: Record<string, string> | string[], body?: string | Buffer, timeoutMs?: number }) => Promise<Answer>

/** A node, something worth protecting, and no gateway yet. */
export async function scene (t: Test, env: Record<string, string> = {}): Promise<Scene> {
  const service = await proxy(t)
  const w = await world(t, { PUBLIC_URL: service.url, TOKEN_AUDIENCE: AUDIENCE, ...env })
  const address = await w.app.listen({ host: '127.0.0.1', port: 0 })
  service.to(address)
  const operator = async (...args: string[]) => {
    const code = await command(args, { DATABASE_URL: w.databaseUrl, KEY_ENCRYPTION_KEY: `k:${randomBytes(32).toString('base64')}`, LOG_LEVEL: 'silent' })
    if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}`)
  }
  return { ...w, service, serviceAddress: new URL(service.url).host, address, upstream: await protectedUpstream(t), operator }
}

export async function behind (from: Scene, gateway: Gateway): Promise<Protected> {
  const ask: Ask = async (target = '/private', { method = 'GET', bearer, headers = [], body = '', timeoutMs } = {}) => await raw(gateway.port, [
    ...request(method, target, headers), ...(bearer !== undefined ? [`Authorization: Bearer ${bearer}`] : []),
  ], body, timeoutMs)
  return { ...from, gateway, mine: await from.signIn(), ask }
}

/** 401 with a challenge and no page of HTML, and the application has heard nothing. */
export function refused (t: Test, { upstream }: Scene, answer: Answer, what: string): void {
  t.match([answer.status, answer.headers['www-authenticate'] ?? 'no challenge'], [401, /^Bearer/], what, { body: answer.body })
  t.notMatch(answer.body, /<html|\n\s+at /i, `${what}: the body`)
  t.strictSame(upstream.arrivals(), [], `${what}: nothing arrived`)
}

/** The application was reached once, and told the truth about who it is. */
export function passed (t: Test, { upstream }: Scene, answer: Answer, claims: Record<string, unknown>, what: string): Arrival {
  t.equal(answer.status, 200, what, { answer })
  const arrivals = upstream.arrivals()
  t.equal(arrivals.length, 1, `${what}: it arrived once`, { arrivals })
  const [arrival] = arrivals as [Arrival]
  t.strictSame(arrival && identity(arrival), { subject: claims['sub'], session: claims['sid'] ?? null, scope: claims['scope'], roles: (claims['roles'] as string[] | undefined ?? []).join(',') }, `${what}: who it is`)
  return arrival
}

export const identity = (arrival: Arrival) => ({
  subject: headerOf(arrival, 'X-Auth-Subject'), session: headerOf(arrival, 'X-Auth-Session'), scope: headerOf(arrival, 'X-Auth-Scope'), roles: headerOf(arrival, 'X-Auth-Roles') ?? '',
})

export const claimsOf = ({ ctx, mine }: Protected) => forgeFrom(ctx, mine.access_token).claims as { sub: string, sid: string, scope: string, roles: string[] }
