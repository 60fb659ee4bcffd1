import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { send, type NodeProcess, type Reply } from './processes.ts'
import { PASSWORD } from './world.ts'

export type Seen = Reply & { operation: string, ms: number }
export type Load = { seen: Seen[], stop: () => Promise<void> }

/** What needs no database: it must never notice that one is away. */
export const FROM_MEMORY = ['verify', 'livez', 'readyz', 'jwks']

/** What costs as much as a hundred others. */
const HASHES = ['login', 'register']

/** Users of one node, each doing one thing over and over until `stop`, which rejects when a request got no answer at all. */
export async function startLoad ({ url }: NodeProcess): Promise<Load> {
  const credentials = () => ({ email: `${randomUUID()}@example.com`, password: PASSWORD })
  const account = credentials()
  await send(url, 'POST', '/v1/auth/register', { body: account })
  const signIn = async () => await send(url, 'POST', '/v1/auth/login', { body: { ...account, refresh: 'body' } })
  const bearer = (await signIn()).json.access_token as string
  const ending = (await signIn()).json.refresh_token as string
  let cookie = cookieOf(await send(url, 'POST', '/v1/auth/login', { body: account }))!
  const operations: Record<string, () => Promise<Reply>> = {
    verify: async () => await send(url, 'GET', '/v1/auth/verify', { bearer }),
    livez: async () => await send(url, 'GET', '/livez'),
    readyz: async () => await send(url, 'GET', '/readyz'),
    jwks: async () => await send(url, 'GET', '/.well-known/jwks.json'),
    refresh: async () => {
      const answer = await send(url, 'POST', '/v1/auth/refresh', { headers: { cookie } })
      cookie = cookieOf(answer) ?? cookie
      return answer
    },
    me: async () => await send(url, 'GET', '/v1/me', { bearer }),
    login: signIn,
    register: async () => await send(url, 'POST', '/v1/auth/register', { body: credentials() }),
    logout: async () => await send(url, 'POST', '/v1/auth/logout', { body: { refresh_token: ending } }),
  }
  const seen: Seen[] = []
  const done = new AbortController()
  const users = Object.entries(operations).map(async ([operation, ask]) => {
    while (!done.signal.aborted) {
      const began = performance.now()
      seen.push({ ...await ask(), operation, ms: performance.now() - began })
      await sleep(HASHES.includes(operation) ? 120 : 40)
    }
  })
  return { seen, stop: async () => { done.abort(); await Promise.all(users) } }
}

const cookieOf = ({ headers }: Reply): string | undefined => headers.getSetCookie()[0]?.split(';', 1)[0]
