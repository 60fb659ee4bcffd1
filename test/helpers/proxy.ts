import { once } from 'node:events'
import { createServer, request, type IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

type Teardown = { teardown: (work: () => unknown) => void }

export type Proxy = {
  url: string
  /** Method and path of every request, in order. */
  seen: { method: string, path: string, headers: IncomingMessage['headers'] }[]
  count: (path: string | RegExp) => number
  /** Where requests go from now on; open ones break. Null: nobody is there. */
  to: (target: string | null) => void
  /** Where new requests go; open ones stay. */
  turnTo: (target: string) => void
  /** What it answers itself with, instead of passing on: a status (503 says when to come again), or `hang` for nothing at all. */
  answer: (path: string | RegExp, status: number | 'hang' | null) => void
}

/** What stands between a verifier and the nodes: a balancer that moves, dies, or knows better. Start it first, and it is the PUBLIC_URL. */
export async function proxy (t: Teardown): Promise<Proxy> {
  let target: string | null = null
  const seen: Proxy['seen'] = []
  const answers = new Map<string, { path: string | RegExp, status: number | 'hang' }>()
  const sockets = new Set<Socket>()
  const server = createServer((incoming, outgoing) => {
    const path = incoming.url!
    seen.push({ method: incoming.method!, path, headers: incoming.headers })
    const own = [...answers.values()].find(answer => matches(path, answer.path))?.status
    if (own === 'hang') return
    if (own !== undefined) { outgoing.writeHead(own, own === 503 ? { 'retry-after': '7' } : {}).end(); return }
    if (!target) { incoming.socket.destroy(); return }
    const onward = request(`${target}${path}`, { method: incoming.method!, headers: incoming.rawHeaders, agent: false }, answer => {
      outgoing.writeHead(answer.statusCode!, answer.headers)
      outgoing.flushHeaders()
      answer.on('error', () => outgoing.destroy()).pipe(outgoing)
    })
    onward.on('error', () => outgoing.destroy())
    outgoing.on('close', () => onward.destroy())
    incoming.pipe(onward)
  })
  server.on('connection', socket => { sockets.add(socket); socket.on('close', () => sockets.delete(socket)) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => { for (const socket of sockets) socket.destroy() }
  t.teardown(() => { server.close(); cut() })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    count: path => seen.filter(request => matches(request.path, path)).length,
    to: to => { target = to; cut() },
    turnTo: to => { target = to },
    answer: (path, status) => { if (status === null) answers.delete(String(path)); else answers.set(String(path), { path, status }) },
  }
}

const matches = (path: string, wanted: string | RegExp): boolean => typeof wanted === 'string' ? path === wanted : wanted.test(path)
