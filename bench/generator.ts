import { load, row, type Benchmark, type Load } from './measure.ts'
import { pathOf, startServer } from './processes.ts'

/** The ceiling of the load generator: what it gets out of a server that does nothing. Figures near it say less than those far below. */
export const generator: Benchmark = async setting => {
  const [rounds, seconds] = setting.smoke ? [1, 1] : [5, 2]
  const server = await startServer(setting, [pathOf('bench/bare-http.ts')], {}, '/')
  const loads: Load[] = []
  for (let round = setting.smoke ? 0 : -1; round < rounds; round++) {
    const measured = await load(server.pid, seconds, { url: server.url })
    if (round >= 0) loads.push(measured)
  }
  return {
    name: 'generator',
    rows: [
      row('autocannon against node:http', 'requests/s', loads.map(({ perSecond }) => perSecond)),
      row('node:http was busy', 'cores', loads.map(({ busy }) => busy)),
      row('autocannon was busy', 'cores', loads.map(({ generator }) => generator)),
    ],
    note: 'The ceiling of the generator. Where it is near, a server is not full: so servers are compared by what they answer in a second of their own processor time.',
  }
}
