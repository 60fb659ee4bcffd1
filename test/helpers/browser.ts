import { randomUUID } from 'node:crypto'
import { createAuth, type Auth, type SignedOut, type User } from '../../src/sdk/client/index.ts'
import { send } from './processes.ts'
import { PASSWORD } from './world.ts'

type Teardown = { teardown: (work: () => unknown) => void }

/** A page, and what was said in it. */
export type Tab = Auth & { signedOut: SignedOut[] }
/** Sees a request on its way; may hold it up, lose its answer, or answer it itself. */
type Wire = (request: Request, goOn: () => Promise<Response>) => Promise<Response>

export type Browser = {
  jar: Map<string, string>
  /** Requests in order, `POST /v1/auth/refresh`. */
  sent: string[]
  count: (request: string) => number
  refreshes: () => number
  /** What becomes of requests from now on. */
  wire: (wire: Wire | null) => void
  /** A page with a memory of its own. */
  tab: () => Tab
}

export const REFRESH = 'POST /v1/auth/refresh'
export const isTo = (request: Request, what: string): boolean => `${request.method} ${new URL(request.url).pathname}` === what
export const problem = (status: number, code: string, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify({ type: 'about:blank', title: code, status, code, request_id: 'r' }), { status, headers: { 'content-type': 'application/problem+json', ...headers } })

/** Tabs of one browser hear and wait for each other, also in one process; those of two browsers do not. */
function insideBrowser<T> (id: string, shares: boolean, work: () => T): T {
  const { BroadcastChannel: Channel } = globalThis
  const { locks } = navigator
  const ownLocks = { request: async (name: string, options: LockOptions, held: LockGrantedCallback<unknown>) => await locks.request(`${id} ${name}`, options, held) }
  const own = shares
    ? { BroadcastChannel: class extends Channel { constructor (name: string) { super(`${id} ${name}`) } }, navigator: { locks: ownLocks } }
    : { BroadcastChannel: undefined, navigator: {} }
  const before = Object.getOwnPropertyDescriptors(globalThis)
  for (const [name, value] of Object.entries(own)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true })
  try { return work() } finally { Object.defineProperties(globalThis, { BroadcastChannel: before.BroadcastChannel, navigator: before.navigator }) }
}

/**
 * One cookie jar, and tabs over it. It says where a request comes from, as browsers do, and sends and keeps cookies only for requests that want them.
 * @param shares false: an old one, without Web Locks and BroadcastChannel
 */
export function browser (t: Teardown, baseUrl: string, { shares = true } = {}): Browser {
  const id = randomUUID()
  const jar = new Map<string, string>()
  const sent: string[] = []
  let wire: Wire | null = null
  const keep = (line: string): void => {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!
    if (value === '' || /max-age=0|expires=thu, 01 jan 1970/i.test(line)) jar.delete(name!); else jar.set(name!, value!)
  }
  const fetchAsBrowser: typeof fetch = async (input, init) => {
    const request = new Request(input, init)
    const { pathname, origin } = new URL(request.url)
    sent.push(`${request.method} ${pathname}`)
    let lines: string[] = []
    const answer = await (wire ?? (async (_request, goOn) => await goOn()))(request, async () => {
      const withCookies = origin === baseUrl && request.credentials === 'include'
      const headers = new Headers(request.headers)
      headers.set('sec-fetch-site', 'same-origin')
      if (withCookies && jar.size > 0) headers.set('cookie', [...jar].map(([name, value]) => `${name}=${value}`).join('; '))
      const answer = await fetch(new Request(request, { headers }))
      if (withCookies) lines = answer.headers.getSetCookie()
      return answer
    })
    lines.forEach(keep) // as the answers arrive; one that is lost sets nothing
    return answer
  }
  return {
    jar,
    sent,
    count: request => sent.filter(one => one === request).length,
    refreshes: () => sent.filter(one => one === REFRESH).length,
    wire: next => { wire = next },
    tab: () => {
      const auth = insideBrowser(id, shares, () => createAuth({ baseUrl, fetch: fetchAsBrowser }))
      t.teardown(auth.close)
      const signedOut: SignedOut[] = []
      auth.onSignedOut(event => signedOut.push(event))
      return Object.defineProperties({} as Tab, { ...Object.getOwnPropertyDescriptors(auth), signedOut: { value: signedOut } })
    },
  }
}

export const newCredentials = () => ({ email: `${randomUUID()}@example.com`, password: PASSWORD })

/** An account, a browser, and a tab in which it is signed in. */
export async function signedInTab (t: Teardown, url: string, b = browser(t, url)): Promise<{ b: Browser, auth: Tab, user: User, credentials: { email: string, password: string } }> {
  const credentials = newCredentials()
  await send(url, 'POST', '/v1/auth/register', { body: credentials })
  const auth = b.tab()
  const user = await auth.signIn(credentials)
  return { b, auth, user, credentials }
}

const { now } = Date
let ahead = 0
/** The clock of this process, in which the tabs are: they slept, or somebody set it. Put back with the test. */
export function moveClock (t: Teardown, seconds: number): void {
  ahead += seconds * 1000
  Date.now = () => now() + ahead
  t.teardown(() => { Date.now = now; ahead = 0 })
}
