import pg from 'pg'
import t from 'tap'
import { revocationId } from '../../src/lib/digest.ts'
import { relayed } from '../helpers/relay.ts'

type Document = { cursor: string, full: boolean, e: [string, string][] }

// While a long transaction holds the cursor back, clients are told apart by fingerprints of entries, and entries expire on
// node and relay a moment apart. A mismatch may cost a repeated entry; it must not cost a missed one, or a poll that never waits.
t.test('entries that expire on node and relay a moment apart cost a few repeated entries, and no poll that never waits', async t => {
  const w = await relayed(t)
  const slow = new pg.Client({ connectionString: w.databaseUrl })
  await slow.connect()
  t.teardown(async () => await slow.end())
  await slow.query('BEGIN')
  const INSERT = 'INSERT INTO revocation (kind, id, expires_at) VALUES (\'s\', $1, now() + $2::interval)'
  await slow.query(INSERT, [revocationId('s', 'late'), '1 hour'])
  const named = Array.from({ length: 12 }, (_, at) => `entry-${at}`)
  for (const [at, name] of named.entries()) await w.sql(INSERT, [revocationId('s', name), `${at % 2 === 0 ? 3600 : 0.5 + at / 5} seconds`])
  await w.ctx.revocations.poll()
  await w.relay.ctx.revocations.poll()

  const asked = () => w.wire.count(/revocations/)
  const before = asked()
  const stops = { node: [w], relay: [w.relay], hopping: [w, w.relay] }
  const started = performance.now()
  const clients = await Promise.all(Object.entries(stops).map(async ([name, nodes]) => {
    const client = { name, polls: 0, late: 0, fulls: 0, ids: new Set<string>(), cursor: (await nodes[0]!.call('GET', '/v1/revocations')).json<Document>().cursor }
    while (performance.now() - started < 10_000) {
      const document = (await nodes[client.polls % nodes.length]!.call('GET', `/v1/revocations?since=${client.cursor}&wait=1`)).json<Document>()
      client.polls++
      if (performance.now() - started > 7_500) client.late++ // the last has expired everywhere
      if (document.full) client.fulls++
      for (const [, id] of document.e) client.ids.add(id)
      client.cursor = document.cursor
      await new Promise(resolve => setTimeout(resolve, 20)) // a loop would come round 100 times in the end
    }
    return client
  }))
  for (const { name, polls, late, fulls } of clients) {
    t.comment(`${name}: ${polls} polls`)
    if (name !== 'hopping') t.ok(polls <= 40, `${name}: ${polls} polls in ten seconds`)
    t.ok(late <= 5, `${name}: ${late} in the last two and a half`)
    t.equal(fulls, 0, name)
  }
  t.ok(asked() - before <= 30, `the relay asked ${asked() - before} times`)

  await slow.query('COMMIT')
  await w.ctx.revocations.poll()
  await w.relay.ctx.revocations.poll()
  for (const client of clients) {
    const node = stops[client.name as keyof typeof stops].at(-1)!
    const document = (await node.call('GET', `/v1/revocations?since=${client.cursor}&wait=2`)).json<Document>()
    for (const [, id] of document.e) client.ids.add(id)
    t.ok(client.ids.has(revocationId('s', 'late').toString('base64url')), `${client.name} hears of what committed late`)
  }
})
