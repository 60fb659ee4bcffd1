import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

export type Arrival = {
  method: string, url: string, body: string
  /** In the order and spelling of the wire. */
  headers: [name: string, value: string][]
}
export type Upstream = {
  port: number
  /** What arrived since it was last asked. */
  arrivals: () => Arrival[]
}

/** What a gateway protects: says 200 to everything, and remembers what came. */
export async function protectedUpstream (t: Pick<Test, 'teardown'>): Promise<Upstream> {
  let arrived: Arrival[] = []
  const server = createServer(async (request, answer) => {
    const chunks: Buffer[] = []
    const arrival: Arrival = { method: request.method!, url: request.url!, body: '', headers: pairs(request.rawHeaders) }
    arrived.push(arrival)
    try { for await (const chunk of request) chunks.push(chunk) } catch { return }
    arrival.body = Buffer.concat(chunks).toString('latin1')
    answer.setHeader('content-type', 'text/plain').end(`reached ${arrival.url}`)
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code?.startsWith('HPE_')) arrived.push({ method: 'BROKEN', url: error.message, body: '', headers: [] })
    socket.destroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close(); server.closeAllConnections() })
  return {
    port: (server.address() as AddressInfo).port,
    arrivals: () => { const before = arrived; arrived = []; return before },
  }
}

const pairs = (rawHeaders: readonly string[]): [string, string][] =>
  Array.from({ length: rawHeaders.length / 2 }, (_, at) => [rawHeaders[2 * at]!, rawHeaders[2 * at + 1]!])

/** The one value under any spelling that an upstream could take for that header (CGI and its heirs turn - into _); null when there are none or several. */
export function headerOf ({ headers }: Arrival, name: string): string | null {
  const values = headers.filter(([given]) => sameVariable(given, name)).map(([, value]) => value)
  return values.length === 1 ? values[0]! : null
}

const sameVariable = (one: string, other: string): boolean => variable(one) === variable(other)
const variable = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '_')

/**
 * Does a lenient upstream find something outside /public/ under this target? Read as loosely as servers are known to: decoded up to three
 * times, with backslashes, without path parameters, with dots resolved, at each of these stages.
 */
export function leavesPublic (url: string): boolean {
  let path = url.replace(/^[a-z]+:\/\/[^/]*/i, '').replace(/[?#].*$/s, '')
  for (let round = 0; round < 4; round++) {
    for (const seen of [path, path.replaceAll('\\', '/'), path.replaceAll(/;[^/]*/g, ''), path.replaceAll('\\', '/').replaceAll(/;[^/]*/g, '')]) {
      if (!/^\/public\/./.test(resolve(seen))) return true
    }
    try { path = decodeURIComponent(path) } catch { return true }
  }
  return false
}

function resolve (path: string): string {
  const segments: string[] = []
  for (const segment of path.split('/').filter(segment => segment !== '' && segment !== '.')) {
    if (segment === '..') segments.pop()
    else segments.push(segment)
  }
  return `/${segments.join('/')}`
}
