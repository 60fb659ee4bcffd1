import { createAuth, type Auth } from '../../src/sdk/client/index.ts'

type Teardown = { teardown: (work: () => unknown) => void }

/** Sees a request on its way, and may answer it itself. */
type Wire = (request: Request, goOn: () => Promise<Response>) => Promise<Response>

export type Browser = {
  jar: Map<string, string>
  /** Requests in order, `POST /v1/auth/refresh`. */
  sent: string[]
  count: (request: string) => number
  /** What becomes of requests from now on. */
  wire: (wire: Wire) => void
  /** A page of the same origin, with a memory of its own. */
  tab: () => Auth
  fetch: typeof fetch
}

/** One cookie jar, and tabs over it. It says where a request comes from, as browsers do, and sends cookies only where it is told to. */
export function browser (t: Teardown, baseUrl: string): Browser {
  const jar = new Map<string, string>()
  const sent: string[] = []
  let wire: Wire = async (_request, goOn) => await goOn()
  const fetchAsBrowser: typeof fetch = async (input, init) => {
    const request = new Request(input, init)
    const { pathname, origin } = new URL(request.url)
    sent.push(`${request.method} ${pathname}`)
    request.headers.set('sec-fetch-site', 'same-origin')
    const cookies = origin === baseUrl && request.credentials !== 'omit'
    if (cookies && jar.size > 0) request.headers.set('cookie', [...jar].map(([name, value]) => `${name}=${value}`).join('; '))
    const answer = await wire(request, async () => await fetch(request))
    if (cookies) for (const line of answer.headers.getSetCookie()) keep(line)
    return answer
  }
  const keep = (line: string): void => {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!
    if (value === '' || /max-age=0|expires=thu, 01 jan 1970/i.test(line)) jar.delete(name!); else jar.set(name!, value!)
  }
  return {
    jar,
    sent,
    count: request => sent.filter(one => one === request).length,
    wire: next => { wire = next },
    tab: () => {
      const auth = createAuth({ baseUrl, fetch: fetchAsBrowser })
      t.teardown(auth.close)
      return auth
    },
    fetch: fetchAsBrowser,
  }
}
