import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import type { Node } from './world.ts'

type Teardown = { teardown: (work: () => unknown) => void }
export type RawAnswer = { statusCode: number, headers: Record<string, string>, body: string }

/**
 * The node on a free port of 127.0.0.1, and a way to send it bytes that no client library would: the first answer to
 * `lines` (joined by CRLF), read until the server closes.
 */
export async function listening (t: Teardown, { app }: Pick<Node, 'app'>) {
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const raw = async (lines: readonly (string | Buffer)[], body: string | Buffer = ''): Promise<RawAnswer> => {
    const socket = connect(port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    const chunks: Buffer[] = []
    socket.on('data', chunk => { chunks.push(chunk) }).on('error', () => {})
    socket.write(Buffer.concat([...lines.flatMap(line => [Buffer.from(line), Buffer.from('\r\n')]), Buffer.from('\r\n'), Buffer.from(body)]))
    await once(socket, 'close')
    const [head, ...rest] = Buffer.concat(chunks).toString('latin1').split('\r\n\r\n')
    const [status, ...fields] = head!.split('\r\n')
    return {
      statusCode: Number(status!.split(' ')[1]),
      headers: Object.fromEntries(fields.map(field => [field.slice(0, field.indexOf(':')).toLowerCase(), field.slice(field.indexOf(':') + 1).trim()])),
      body: rest.join('\r\n\r\n'),
    }
  }
  return { port, url: `http://127.0.0.1:${port}`, raw }
}

export const request = (method: string, path: string, ...headers: string[]): string[] =>
  [`${method} ${path} HTTP/1.1`, 'Host: 127.0.0.1', 'Connection: close', ...headers]
