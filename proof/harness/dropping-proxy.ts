import { hash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Endings } from './endings.ts'

/**
 * A network that loses the answer of every request the first time: it passes the request on, waits until the service has answered in
 * full, and hangs up on the client. The same request again goes through.
 */
export async function droppingProxy ({ teardown }: Endings, target: string): Promise<{ url: string, dropped: Map<string, number> }> {
  const seen = new Set<string>()
  const dropped = new Map<string, number>()
  const server = createServer(async (incoming, outgoing) => {
    const body = await textOf(incoming)
    const what = hash('sha256', [incoming.method, incoming.url, incoming.headers.cookie, incoming.headers.authorization, body].join('\n'))
    const onward = request(target + incoming.url!, { method: incoming.method!, headers: incoming.headers, agent: false }, async answer => {
      const text = await textOf(answer)
      if (seen.has(what) || answer.statusCode! >= 500) { outgoing.writeHead(answer.statusCode!, answer.headers).end(text); return }
      seen.add(what)
      const at = `${incoming.method} ${incoming.url} ${answer.statusCode}`
      dropped.set(at, (dropped.get(at) ?? 0) + 1)
      incoming.socket.destroy()
    })
    onward.on('error', () => incoming.socket.destroy())
    onward.end(body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  teardown(() => { server.close(); server.closeAllConnections() })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, dropped }
}

async function textOf (message: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of message.setEncoding('utf8')) text += chunk
  return text
}
