import { get } from 'node:http'

// A process that holds many streams of the feed, as many other services do, and reads them. Twenty an address is what a
// node lets in, so they come from as many loopback addresses as they need.
const [url, count] = [process.env['FEED_URL']!, Number(process.env['STREAMS'])]
let opened = 0
let bytes = 0
for (let n = 0; n < count; n++) {
  const localAddress = `127.0.${1 + Math.floor(n / 20 / 200)}.${1 + Math.floor(n / 20) % 200}`
  get(`${url}/v1/revocations/stream`, { localAddress, agent: false }, answer => {
    if (answer.statusCode !== 200) throw new Error(`a stream was answered with ${answer.statusCode}`)
    if (++opened === count) process.send!('open')
    answer.on('data', (chunk: Buffer) => { bytes += chunk.length })
    answer.on('end', () => { throw new Error('a stream was ended') })
  })
}
process.on('message', () => process.send!(bytes))
process.on('SIGTERM', () => process.exit(0))
