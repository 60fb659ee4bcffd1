// The hash and nothing else; told how many milliseconds, it answers how many a second, and a second of processor time.
import argon2 from 'argon2'
import { createServer } from 'node:http'
import { loadConfig } from '../src/config.ts'
import { Passwords } from '../src/core/passwords/hash.ts'
import { PASSWORD } from './processes.ts'

const concurrency = Number(process.env['CONCURRENCY'])
const stored = await new Passwords(loadConfig({}, () => '')).hash(PASSWORD, { bucket: '' })

process.on('message', async (ms: number) => {
  const [startedAt, cpuBefore] = [performance.now(), process.cpuUsage()]
  let count = 0
  await Promise.all(Array.from({ length: concurrency }, async () => {
    for (; performance.now() < startedAt + ms; count++) if (!await argon2.verify(stored, PASSWORD)) throw new Error('a wrong answer')
  }))
  const { user, system } = process.cpuUsage(cpuBefore)
  process.send!({ perSecond: count / ((performance.now() - startedAt) / 1000), perCpuSecond: count / ((user + system) / 1e6) })
})
createServer((_request, response) => response.end()).listen(Number(process.env['PORT']), '127.0.0.1')
