import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { byItself } from './judge.ts'
import { ratio, residentMegabytes, row, type Benchmark } from './measure.ts'
import { startBare, startService, type Server } from './processes.ts'

/** From spawn to ready, with the database there and migrated, and memory once it is idle. */
export const start: Benchmark = async setting => {
  const rounds = setting.smoke ? 1 : 5
  const NODE_COMPILE_CACHE = join(setting.folder, 'compile-cache')
  mkdirSync(NODE_COMPILE_CACHE)
  const answer = { headers: {}, body: { status: 'ready' } }
  const kinds = {
    bare: () => startBare(setting, answer, { NODE_COMPILE_CACHE }),
    cached: () => startService(setting, { env: { NODE_COMPILE_CACHE } }),
    uncached: () => startService(setting, { env: { NODE_DISABLE_COMPILE_CACHE: '1' } }),
  }
  type Kind = keyof typeof kinds
  const ms: Record<Kind, number[]> = { bare: [], cached: [], uncached: [] }
  const megabytes: Record<Kind, number[]> = { bare: [], cached: [], uncached: [] }
  // Makes the database and both caches: each is written when its process ends.
  for (const kind of Object.values(kinds)) await (await kind()).stop()
  for (let round = 0; round < rounds; round++) {
    for (const [name, kind] of Object.entries(kinds) as [Kind, () => Promise<Server>][]) {
      const server = await kind()
      ms[name].push(server.startMs)
      await sleep(1_000)
      megabytes[name].push(await residentMegabytes(server.pid))
      await server.stop()
    }
  }
  return {
    name: 'start',
    rows: [
      row('bare Fastify, compile cache', 'ms to ready', ms.bare),
      row('service, compile cache', 'ms to ready', ms.cached),
      row('service, no compile cache', 'ms to ready', ms.uncached),
      row('bare Fastify', 'MB idle', megabytes.bare),
      row('service, compile cache', 'MB idle', megabytes.cached),
      row('service, no compile cache', 'MB idle', megabytes.uncached),
    ],
    judged: [byItself('to ready', { atMost: 500 }, 'ms', ms.cached), byItself('idle', { atMost: 130 }, 'MB', megabytes.cached)],
    ratios: {
      'start: service : bare': ratio(ms.cached, ms.bare),
      'start: cached : uncached': ratio(ms.cached, ms.uncached),
      'idle memory: service : bare': ratio(megabytes.cached, megabytes.bare),
    },
  }
}
