import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

type Teardown = { teardown: (work: () => unknown) => void }

export type DatabaseLink = {
  /** The database, by way of this link. */
  url: string
  /** Every statement that went through, in order. */
  statements: string[]
  /** Connections are refused and those that exist break: the server is down. */
  cut: () => Promise<void>
  /** Nothing arrives any more and nobody is told: a firewall that forgot us. */
  swallow: () => void
  /** It leads to another server from now on; connections to the old one break. */
  move: (databaseUrl: string) => void
  /** As it was, for new connections. Those that were swallowed stay silent for ever, and nobody is told. */
  mend: () => Promise<void>
}

/** The wire between a node and PostgreSQL: it can break in two ways, and counts what crosses it from outside the service. */
export async function databaseLink (t: Teardown, databaseUrl: string): Promise<DatabaseLink> {
  let target = new URL(databaseUrl)
  const statements: string[] = []
  const pairs = new Set<{ near: Socket, far: Socket, silent: boolean }>()
  let swallowing = false
  const accept = (near: Socket) => {
    const pair = { near, far: connect(Number(target.port || 5432), target.hostname), silent: swallowing }
    const record = statementReader(statements)
    const end = () => { pairs.delete(pair); near.destroy(); pair.far.destroy() }
    pairs.add(pair)
    near.on('error', () => {}).on('close', end).on('data', chunk => { if (!pair.silent) { record(chunk); pair.far.write(chunk) } })
    pair.far.on('error', () => {}).on('close', () => { if (!pair.silent) end() }).on('data', chunk => { if (!pair.silent) near.write(chunk) })
  }
  let server = createServer(accept).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const breakAll = () => { for (const { near } of pairs) near.destroy() }
  t.teardown(() => { server.close(); breakAll() })

  return {
    url: Object.assign(new URL(databaseUrl), { host: `127.0.0.1:${port}` }).href,
    statements,
    cut: async () => {
      const closed = once(server, 'close')
      server.close()
      breakAll()
      await closed
    },
    move: to => {
      target = new URL(to)
      breakAll()
    },
    swallow: () => {
      swallowing = true
      for (const pair of pairs) pair.silent = true
    },
    mend: async () => {
      swallowing = false
      if (server.listening) return
      server = createServer(accept).listen(port, '127.0.0.1')
      await once(server, 'listening')
    },
  }
}

/** Reads the client's half of PostgreSQL's protocol (version 3): the text of each simple query and of each Execute. */
function statementReader (statements: string[]): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0)
  let started = false
  const parsed = new Map<string, string>()
  const bound = new Map<string, string>()
  return chunk => {
    rest = Buffer.concat([rest, chunk])
    for (;;) {
      const head = started ? 1 : 0
      if (rest.length < head + 4) return
      const length = rest.readInt32BE(head) + head
      if (rest.length < length) return
      const [first = '', second = ''] = rest.subarray(head + 4, length).toString().split('\0', 2)
      const type = started ? String.fromCharCode(rest[0]!) : ''
      if (type === 'Q') statements.push(first)
      if (type === 'P') parsed.set(first, second)
      if (type === 'B') bound.set(first, parsed.get(second) ?? '?')
      if (type === 'E') statements.push(bound.get(first) ?? '?')
      started = true
      rest = rest.subarray(length)
    }
  }
}
