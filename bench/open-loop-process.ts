// Sends requests when they are due, whether or not earlier ones have been answered, and measures from when they were due.
import { Agent, request } from 'node:http'
import { Worker } from 'node:worker_threads'
import type { Order, Sample, Stream } from './open-loop.ts'

process.on('message', async ({ url, seconds, streams }: Order) => {
  process.send!(await Promise.all(streams.map(async stream => await sendAll(url, seconds, stream))))
})

async function sendAll (url: string, seconds: number, { perSecond, requests, addresses }: Stream): Promise<Sample[]> {
  const { hostname, port } = new URL(url)
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity })
  const now = () => performance.timeOrigin + performance.now()
  const pacer = new Worker(new URL('pacer.ts', import.meta.url), { workerData: { perSecond, seconds } })
  const answers: Promise<Sample>[] = []
  pacer.on('message', (due: number) => {
    const n = answers.length
    const { method, path, headers, body } = requests[n % requests.length]!
    const from = addresses && { 'x-forwarded-for': `10.9.${Math.floor(n % addresses / 250)}.${1 + n % addresses % 250}` }
    const lateMs = now() - due
    answers.push(new Promise(resolve => {
      const done = (what: string, retryAfter: boolean) => { resolve({ lateMs, ms: now() - due, what, retryAfter }) }
      const sent = request({ agent, hostname, port, method, path, headers: { ...headers, ...from, ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }) } }, answer => {
        let text = ''
        const { statusCode = 0, headers } = answer
        answer.setEncoding('utf8').on('data', (part: string) => { if (statusCode >= 400) text += part }).on('end', () => {
          done(statusCode < 400 ? String(statusCode) : `${statusCode} ${/"code":"(\w+)"/.exec(text)?.[1]}`, headers['retry-after'] !== undefined)
        })
      })
      sent.on('error', (error: NodeJS.ErrnoException) => { done(error.code ?? error.message, false) })
      sent.end(body)
    }))
  })
  await new Promise((resolve, reject) => { pacer.on('exit', resolve).on('error', reject) })
  const samples = await Promise.all(answers)
  agent.destroy()
  return samples
}
process.on('disconnect', () => process.exit(0))
