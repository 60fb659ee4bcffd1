import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t, { type Test } from 'tap'
import type { FeedDocument } from '../../src/core/revocations/feed.ts'
import { freePort } from '../../src/db/embedded/start.ts'
import { revocationId } from '../../src/lib/digest.ts'
import { readEvents } from '../../src/sdk/verifier/event-stream.ts'
import { freshDatabase } from '../helpers/database.ts'
import { startProcess, type NodeProcess } from '../helpers/processes.ts'
import { until } from '../helpers/until.ts'

const READERS = 6
const WRITERS = 6
const EACH = 40

type Reader = { seen: Set<string>, resets: number, hops: number }

/** One that follows the feed by a cursor alone, and goes to the next node whenever the one it asked is gone. */
async function follow (urls: readonly string[], first: number, via: 'stream' | 'poll', reader: Reader, done: AbortSignal): Promise<void> {
  let cursor: string | undefined
  const take = (document: FeedDocument) => {
    if (document.full && cursor !== undefined) reader.resets++
    for (const [, id] of document.e) reader.seen.add(id)
  }
  for (let at = first; !done.aborted; at++) {
    const url = `${urls[at % urls.length]}/v1/revocations`
    try {
      if (via === 'stream') {
        const answer = await fetch(`${url}/stream`, { headers: cursor === undefined ? {} : { 'last-event-id': cursor }, signal: done })
        for await (const { id, event, data } of readEvents(answer.body!, () => {})) {
          if (event !== 'tick') take(JSON.parse(data) as FeedDocument)
          cursor = id
        }
      } else {
        const document = await (await fetch(cursor === undefined ? url : `${url}?since=${cursor}&wait=2`, { signal: done })).json() as FeedDocument
        take(document)
        cursor = document.cursor
        await sleep(100)
      }
    } catch { await sleep(20) }
    reader.hops++
  }
}

/** Ends things in transactions that stay open for a while, so that they commit in another order than they began. */
async function write (t: Test, database: string, ids: string[]): Promise<void> {
  const client = new pg.Client({ connectionString: database })
  await client.connect()
  t.teardown(async () => await client.end())
  for (let count = 0; count < EACH; count++) {
    const id = revocationId('s', randomUUID())
    await client.query('BEGIN')
    await client.query("INSERT INTO revocation (kind, id, expires_at) VALUES ('s', $1, now() + interval '10 min')", [id])
    await sleep(Math.random() * 400)
    await client.query('COMMIT')
    ids.push(id.toString('base64url'))
  }
}

t.test('three nodes are killed in turn while endings commit out of order: no reader that goes on elsewhere with its cursor misses one', async t => {
  const database = await freshDatabase(t)
  const ports = [await freePort(), await freePort(), await freePort()]
  const urls = ports.map(port => `http://127.0.0.1:${port}`)
  const start = async (at: number): Promise<NodeProcess> => await startProcess(t, database, { env: { PORT: String(ports[at]) } })
  const nodes = await Promise.all(ports.map((_, at) => start(at)))

  const done = new AbortController()
  const readers = Array.from({ length: READERS }, (): Reader => ({ seen: new Set(), resets: 0, hops: 0 }))
  const reading = readers.map(async (reader, at) => await follow(urls, at, at % 2 === 0 ? 'stream' : 'poll', reader, done.signal))

  const ids: string[] = []
  const writing = Promise.all([
    ...Array.from({ length: WRITERS }, async () => await write(t, database, ids)),
    // Holds the cursor back for a while, and then has an entry of its own.
    (async () => {
      const client = new pg.Client({ connectionString: database })
      await client.connect()
      const id = revocationId('s', 'the long transaction')
      await client.query('BEGIN')
      await client.query("INSERT INTO revocation (kind, id, expires_at) VALUES ('s', $1, now() + interval '10 min')", [id])
      await sleep(4_000)
      await client.query('COMMIT')
      await client.end()
      ids.push(id.toString('base64url'))
    })(),
  ])
  const finished = new AbortController()
  writing.finally(() => finished.abort()).catch(() => {})
  let kills = 0
  for (; kills < 3 || !finished.signal.aborted; kills++) {
    await nodes[kills % 3]!.stop('SIGKILL')
    await sleep(300)
    nodes[kills % 3] = await start(kills % 3)
  }
  await writing
  t.ok(kills >= 3, `${kills} kills, ${ids.length} endings`)
  await until(() => readers.every(({ seen }) => seen.size >= ids.length), 15_000)
    .catch(() => {})
  done.abort()
  await Promise.all(reading)
  for (const [at, { seen, resets, hops }] of readers.entries()) {
    t.strictSame(ids.filter(id => !seen.has(id)), [], `reader ${at} has all, after ${hops} changes of node`)
    t.equal(resets, 0, 'and never had to begin anew')
  }
})
