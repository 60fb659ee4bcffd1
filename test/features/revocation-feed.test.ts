import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t from 'tap'
import type { FeedDocument } from '../../src/core/revocations/feed.ts'
import { revocationId } from '../../src/lib/digest.ts'
import { databaseLink } from '../helpers/database-link.ts'
import { freshDatabase } from '../helpers/database.ts'
import { world, type Node, type World } from '../helpers/world.ts'

const read = async (node: Node, query = ''): Promise<FeedDocument> => (await node.call('GET', `/v1/revocations${query}`)).json()
const idsOf = (document: FeedDocument): string[] => document.e.map(([kind, id]) => `${kind}:${id}`)
const nameOf = (sid: string): string => `s:${revocationId('s', sid).toString('base64url')}`

async function endASession ({ signIn, call, ctx }: World): Promise<string> {
  const { access_token: bearer } = await signIn()
  const { sid } = (await call('GET', '/v1/auth/verify', { bearer })).json()
  await call('POST', '/v1/auth/logout', { bearer })
  await ctx.revocations.poll()
  return sid
}

t.test('a reader that starts with nothing gets everything, and then only what is new, from any node', async t => {
  const here = await world(t)
  const other = await here.anotherNode()
  const first = await endASession(here)
  const start = await read(here)
  t.ok(start.full)
  t.strictSame(idsOf(start), [nameOf(first)])

  const second = await endASession(here)
  let delta = await read(other, `?since=${start.cursor}&wait=5`)
  // A node that lags may first say what it has; what matters is that the entry comes.
  for (let round = 0; round < 5 && !idsOf(delta).includes(nameOf(second)); round++) delta = await read(other, `?since=${delta.cursor}&wait=5`)
  t.notOk(delta.full)
  t.ok(idsOf(delta).includes(nameOf(second)))
  t.strictSame(idsOf(await read(here, `?since=${delta.cursor}`)), [], 'nothing is sent twice')
})

t.test('an entry whose transaction commits late reaches a reader whose cursor has moved on, whichever nodes it asks', async t => {
  const here = await world(t)
  const nodes = [here, await here.anotherNode()]
  const late = new pg.Client({ connectionString: here.databaseUrl })
  await late.connect()
  await late.query('BEGIN')
  await late.query("INSERT INTO revocation (kind, id, expires_at) VALUES ('s', $1, now() + interval '10 min')", [revocationId('s', 'late')])

  const seen = new Set<string>()
  let { cursor } = await read(here)
  const expected: string[] = []
  for (let round = 0; round < 6; round++) {
    expected.push(nameOf(await endASession(here)))
    const document = await read(nodes[round % 2]!, `?since=${cursor}&wait=3`)
    for (const name of idsOf(document)) seen.add(name)
    cursor = document.cursor
  }
  await late.query('COMMIT')
  await late.end()
  // A node that lags behind the one asked before answers at once with what it has: what is new may come with the next answer.
  for (let round = 0; round < 3 && seen.size <= expected.length; round++) {
    const document = await read(nodes[1]!, `?since=${cursor}&wait=3`)
    for (const name of idsOf(document)) seen.add(name)
    cursor = document.cursor
  }
  t.strictSame([...seen].sort(), [...expected, nameOf('late')].sort())
})

t.test('a wait ends with the first entry, or empty with a fresher as_of', async t => {
  const here = await world(t)
  const { cursor, as_of: asOf } = await read(here)
  const waiting = read(here, `?since=${cursor}&wait=20`)
  const sid = await endASession(here)
  t.strictSame(idsOf(await waiting), [nameOf(sid)])
  // Over a socket too, where a request's stream has closed long before its answer.
  const url = await here.app.listen({ port: 0, host: '127.0.0.1' })
  const started = performance.now()
  const empty = await (await fetch(`${url}/v1/revocations?since=${(await waiting).cursor}&wait=1`)).json() as FeedDocument
  t.ok(performance.now() - started > 900, 'it waited')
  t.strictSame(empty.e, [])
  t.ok(empty.as_of > asOf)
})

t.test('an entry that a node has missed for whatever reason is found by comparing digests', async t => {
  const here = await world(t)
  await endASession(here)
  await here.ctx.revocations.reconcile()
  t.equal(here.ctx.revocations.state.log.size, 1, 'equal copies are left alone')
  // Below every cursor: no poll will ever read it.
  await here.sql("INSERT INTO revocation (xid, kind, id, expires_at) VALUES ('3', 's', $1, now() + interval '10 min')", [revocationId('s', 'missed')])
  await here.ctx.revocations.poll()
  t.notOk(idsOf(await read(here)).includes(nameOf('missed')))
  await here.ctx.revocations.reconcile()
  t.ok(idsOf(await read(here)).includes(nameOf('missed')))
  t.equal(here.logLines().filter(line => String(line['msg']).includes('differed')).length, 1)
})

t.test('a cursor of another installation, or of a future that the database has forgotten, brings everything anew', async t => {
  const here = await world(t)
  const sid = await endASession(here)
  const { cursor, feed } = await read(here)
  const foreign = await read(here, `?since=${cursor.replace(feed, '00000000-0000-4000-8000-000000000000')}`)
  const ahead = await read(here, `?since=${feed}.999999999999.0000000000000000`)
  for (const document of [foreign, ahead]) {
    t.ok(document.full)
    t.strictSame(idsOf(document), [nameOf(sid)])
  }
  for (const bad of ['x', `${feed}.1`, `${feed}.-1.0000000000000000`]) {
    t.equal((await here.call('GET', `/v1/revocations?since=${bad}`)).statusCode, 400, bad)
  }
})

t.test('a node that is behind and cannot read says so, and does not pass its older copy off as everything', async t => {
  const link = await databaseLink(t, await freshDatabase(t))
  const here = await world(t, { DATABASE_URL: link.url })
  await endASession(here)
  const { cursor, feed } = await read(here)
  const ahead = `${feed}.${BigInt(cursor.split('.')[1]!) + 5n}.0000000000000000`
  await link.cut()
  for (const [url, headers] of [[`/v1/revocations?since=${ahead}&wait=1`, {}], ['/v1/revocations/stream', { 'last-event-id': ahead }]] as const) {
    const answer = await here.call('GET', url, { headers })
    t.match([answer.statusCode, answer.json().code, answer.headers['retry-after']], [503, 'stale_revocations', '2'], url)
  }
  t.equal((await here.call('GET', `/v1/revocations?since=${cursor}`)).statusCode, 200, 'who is not ahead is served')
  await link.mend()
})

t.test('an unchanged snapshot is 304, and a CDN may keep it for a second', async t => {
  const here = await world(t)
  const answer = await here.call('GET', '/v1/revocations')
  t.equal(answer.headers['cache-control'], 'public, max-age=1')
  for (const known of [answer.headers.etag as string, `W/${answer.headers.etag}`, `"another", ${answer.headers.etag}`, '*']) {
    t.equal((await here.call('GET', '/v1/revocations', { headers: { 'if-none-match': known } })).statusCode, 304, known)
  }
  await endASession(here)
  t.equal((await here.call('GET', '/v1/revocations', { headers: { 'if-none-match': answer.headers.etag as string } })).statusCode, 200)
})

t.test('a stream goes on at another node with Last-Event-ID, and misses nothing', async t => {
  const here = await world(t)
  const other = await here.anotherNode()
  const [urlHere, urlOther] = await Promise.all([here, other].map(node => node.app.listen({ port: 0, host: '127.0.0.1' })))
  const stream = await open(urlHere!)
  await stream.next('full')
  const seen = await endASession(here)
  const rev = await stream.next('rev')
  t.strictSame(idsOf(rev.data), [nameOf(seen)])
  stream.close()

  const missed = await endASession(here)
  const resumed = await open(urlOther!, { 'last-event-id': rev.id })
  // A node that has not read for half a second may first say what it has; what matters is that the entry comes.
  const received: string[] = []
  while (!received.includes(nameOf(missed))) received.push(...idsOf((await resumed.next('rev')).data))
  t.ok(received.includes(nameOf(missed)))
  resumed.close()
})

t.test('the twenty-first stream of one address is refused, and one that ends makes room', async t => {
  const here = await world(t, { RATE_LIMIT_SCALE: '1' })
  const url = await here.app.listen({ port: 0, host: '127.0.0.1' })
  const streams = await Promise.all(Array.from({ length: 20 }, () => open(url)))
  const refused = await fetch(`${url}/v1/revocations/stream`)
  t.equal(refused.status, 429)
  t.ok(refused.headers.get('retry-after'))
  streams[0]!.close()
  await sleep(100)
  const again = await open(url)
  t.ok(await again.next('full'))
  for (const stream of [...streams, again]) stream.close()
})

t.test('where many users share an address, as many more streams of it are let in', async t => {
  const here = await world(t, { RATE_LIMIT_SCALE: '2' })
  const url = await here.app.listen({ port: 0, host: '127.0.0.1' })
  const streams = await Promise.all(Array.from({ length: 40 }, () => open(url)))
  t.equal((await fetch(`${url}/v1/revocations/stream`)).status, 429)
  for (const stream of streams) stream.close()
})

t.test('streams with a cursor ahead of this node are counted too, and those whose client leaves meanwhile leave nothing behind', async t => {
  const here = await world(t, { RATE_LIMIT_SCALE: '1' })
  const url = await here.app.listen({ port: 0, host: '127.0.0.1' })
  const { feed } = await read(here)
  const headers = { 'last-event-id': `${feed}.9000000000.0000000000000000` }
  const poll = t.capture(here.ctx.revocations, 'poll', async () => await sleep(200))

  const leavers = Array.from({ length: 20 }, () => get(`${url}/v1/revocations/stream`, { headers, agent: false }).on('error', () => {}))
  while (poll().length === 0) await sleep(5)
  await sleep(50)
  for (const leaver of leavers) leaver.destroy()
  await sleep(300)
  const outcomes = await Promise.allSettled(Array.from({ length: 30 }, async () => await open(url, headers)))
  const streams = outcomes.flatMap(outcome => outcome.status === 'fulfilled' ? [outcome.value] : [])
  t.equal(streams.length, 20, 'as many as one address may have')
  for (const stream of streams) stream.close()
})

t.test('a reader that does not read is cut off before its backlog grows', async t => {
  const here = await world(t)
  const url = await here.app.listen({ port: 0, host: '127.0.0.1' })
  const request = get(`${url}/v1/revocations/stream`)
  const [answer] = await once(request, 'response') as [IncomingMessage]
  answer.on('error', () => {}).pause()
  for (let round = 0; round < 60; round++) {
    await here.sql(`INSERT INTO revocation (kind, id, expires_at) SELECT 's', sha256(convert_to(g || '-${round}', 'UTF8')), now() + interval '10 min' FROM generate_series(1, 20000) g`)
    await here.ctx.revocations.poll()
    if (here.ctx.revocations.size > 0 && await connections(here) === 0) break
  }
  t.equal(await connections(here), 0, 'the node closed it, while its reader slept')
  t.equal((await here.call('GET', '/livez')).statusCode, 200)
})

t.test('a reader on a slow line gets a large snapshot to its end, though something ends meanwhile', async t => {
  const here = await world(t)
  const url = await here.app.listen({ port: 0, host: '127.0.0.1' })
  await here.sql("INSERT INTO revocation (kind, id, expires_at) SELECT 's', sha256(convert_to(g::text, 'UTF8')), now() + interval '10 min' FROM generate_series(1, 150000) g")
  await here.ctx.revocations.poll()
  const request = get(`${url}/v1/revocations/stream`)
  const [answer] = await once(request, 'response') as [IncomingMessage]
  answer.on('error', () => {}).pause()
  await endASession(here)
  await endASession(here)
  let received = ''
  for await (const chunk of answer.setEncoding('utf8')) {
    received += chunk
    if (received.includes('event: rev')) break
  }
  t.match(received, /event: full\ndata: .*\n\n/)
})

t.test('the feed stays open to scripts of any origin, without credentials', async t => {
  const { call } = await world(t)
  const answer = await call('GET', '/v1/revocations', { headers: { origin: 'https://anywhere.example' } })
  t.equal(answer.headers['access-control-allow-origin'], '*')
  t.notOk(answer.headers['access-control-allow-credentials'])
})

const connections = async ({ app }: Node): Promise<number> =>
  await new Promise(resolve => { app.server.getConnections((_error, count) => resolve(count)) })

type Event = { id: string, event: string, data: FeedDocument }

async function open (url: string, headers: Record<string, string> = {}): Promise<{ next: (event: string) => Promise<Event>, close: () => void }> {
  const request = get(`${url}/v1/revocations/stream`, { headers, agent: false })
  const [answer] = await once(request, 'response') as [IncomingMessage]
  if (answer.statusCode !== 200) throw new Error(`the stream answered ${answer.statusCode}`)
  for (const emitter of [request, answer]) emitter.on('error', () => {}) // our own close
  const events: Event[] = []
  let block: Record<string, string> = {}
  const lines = createInterface(answer).on('error', () => {})
  lines.on('line', line => {
    const at = line.indexOf(': ')
    if (at > 0) block[line.slice(0, at)] = line.slice(at + 2)
    if (line !== '') return
    if (block['data']) events.push({ id: block['id']!, event: block['event']!, data: JSON.parse(block['data']) as FeedDocument })
    block = {}
  })
  return {
    next: async event => {
      for (let waited = 0; waited < 5_000; waited += 20) {
        const found = events.findIndex(candidate => candidate.event === event)
        if (found >= 0) return events.splice(0, found + 1).at(-1)!
        await sleep(20)
      }
      throw new Error(`no ${event} event within five seconds`)
    },
    close: () => { request.destroy() },
  }
}
