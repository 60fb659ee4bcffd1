import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'

type Teardown = { teardown: (work: () => unknown) => void }

const message = (type: string, body: Buffer): Buffer => Buffer.concat([Buffer.from(type), int32(body.length + 4), body])
const int32 = (value: number): Buffer => { const bytes = Buffer.alloc(4); bytes.writeInt32BE(value); return bytes }
const int16 = (value: number): Buffer => int32(value).subarray(2)

/** A server that answers every query with one number, `major`: as much PostgreSQL as saying one's version takes. */
export async function postgresOfVersion (t: Teardown, major: number): Promise<string> {
  const ready = message('Z', Buffer.from('I'))
  const answer = Buffer.concat([
    message('T', Buffer.concat([int16(1), Buffer.from('major\0'), int32(0), int16(0), int32(23), int16(4), int32(-1), int16(0)])),
    message('D', Buffer.concat([int16(1), int32(String(major).length), Buffer.from(String(major))])),
    message('C', Buffer.from('SELECT 1\0')), ready,
  ])
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.write(Buffer.concat([message('R', int32(0)), ready]))
      socket.on('data', chunk => { if (chunk[0] === 0x51) socket.write(answer) })
    })
  }).listen(0, '127.0.0.1')
  t.teardown(() => { server.close() })
  await once(server, 'listening')
  return `postgresql://postgres:secret@127.0.0.1:${(server.address() as AddressInfo).port}/postgres`
}
