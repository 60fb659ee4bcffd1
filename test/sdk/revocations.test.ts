import t from 'tap'
import { revocationId } from '../../src/lib/digest.ts'
import { readEvents, type StreamEvent } from '../../src/sdk/verifier/event-stream.ts'
import { parseDocument, portableId, RevocationSet } from '../../src/sdk/verifier/revocations.ts'

const token = { sid: 'session', jti: 'token', sub: 'user', ver: 1, iat: 1_000 }
const idOf = (kind: 's' | 'u' | 'j' | 'k' | 'a', value: string): string => revocationId(kind, value).toString('base64url')
type Items = Parameters<RevocationSet['apply']>[0]['e']
const ended: Items = [['s', idOf('s', 'session'), 2_000]]
const isEnded = (set: RevocationSet): boolean => set.isRevoked(token, 'key')

t.test('with and without a digest of the runtime, and in the service, an id is the same', async t => {
  for (const value of ['', 'session', 'é🙂', 'x'.repeat(300), '0190a3b2-1111-7222-8333-0123456789ab']) t.equal(portableId(`s:${value}`), idOf('s', value))
})

t.test('a full document takes the place of what was known, and others add to it', async t => {
  const set = new RevocationSet()
  set.apply({ as_of: 1_000, full: true, e: ended }, 1_000)
  t.ok(isEnded(set))
  set.apply({ as_of: 1_001, full: false, e: [] }, 1_001)
  t.ok(isEnded(set))
  set.apply({ as_of: 1_002, full: true, e: [] }, 1_002)
  t.notOk(isEnded(set), 'a restored database has never heard of it')
})

t.test('a full document that was overtaken on its way takes nothing away', async t => {
  const set = new RevocationSet()
  set.apply({ as_of: 1_001, full: false, e: ended }, 1_001)
  set.apply({ as_of: 1_000, full: true, e: [] }, 1_001)
  t.ok(isEnded(set))
  t.equal(set.asOf, 1_001)
})

t.test('of several endings of a user the highest epoch counts, in whatever order they come', async t => {
  for (const vals of [[2, 1], [1, 2]]) {
    const set = new RevocationSet()
    for (const val of vals) set.apply({ as_of: 1_000, full: false, e: [['u', idOf('u', 'user'), 2_000, val]] }, 1_000)
    t.ok(isEnded(set))
    t.equal(set.size, 1)
  }
})

t.test('an entry goes when its time is over by this clock and by the database’s, not by one that runs ahead', async t => {
  const set = new RevocationSet()
  set.apply({ as_of: 1_000, full: true, e: ended }, 1_000)
  set.apply({ as_of: 1_020, full: false, e: [] }, 9_000)
  t.ok(isEnded(set), 'this clock is ahead')
  set.apply({ as_of: 9_000, full: false, e: [] }, 1_040)
  t.ok(isEnded(set), 'this clock is behind: tokens live longer by it, too')
  set.apply({ as_of: 9_001, full: false, e: [] }, 2_001)
  t.equal(set.size, 0)
})

t.test('kinds of a later version, and names of built-in members, are passed over', async t => {
  const set = new RevocationSet()
  set.apply({ as_of: 1_000, full: true, e: [['z', 'x', 2_000], ['constructor', 'x', 2_000], ['__proto__', 'x', 2_000], ...ended] }, 1_000)
  t.equal(set.size, 1)
})

t.test('what is no document of the feed is not applied at all', async t => {
  const good = { v: 1, feed: 'f', cursor: 'c', as_of: 1, ttl: 720, full: true, e: [['s', 'x', 1], ['u', 'x', 1, 2]] }
  t.ok(parseDocument(good))
  for (const bad of [null, 1, 'x', [], { ...good, v: 2 }, { ...good, cursor: 1 }, { ...good, as_of: '1' }, { ...good, full: 0 }, { ...good, e: {} }, { ...good, e: [['s', 'x']] }, { ...good, e: [['s', 1, 1]] }, { ...good, e: [['u', 'x', 1, '2']] }, { ...good, e: [null] }]) {
    t.equal(parseDocument(bad), null, JSON.stringify(bad))
  }
})

t.test('events are read the same however the network cuts them', async t => {
  const text = 'retry: 1000\n\n: a comment\nid: 1\nevent: full\ndata: {"a":"é€"}\n\nid: 2\r\nevent:tick\r\ndata: {}\r\n\r\nid: 3\nevent: rev\ndata: cut off'
  const bytes = new TextEncoder().encode(text)
  for (const size of [1, 2, 3, 7, 1_000]) {
    let at = 0
    const body = new ReadableStream<Uint8Array>({
      pull: controller => {
        if (at >= bytes.length) controller.close()
        else controller.enqueue(bytes.slice(at, at += size))
      },
    })
    const events: StreamEvent[] = []
    for await (const event of readEvents(body, () => {})) events.push(event)
    t.strictSame(events, [{ id: '1', event: 'full', data: '{"a":"é€"}' }, { id: '2', event: 'tick', data: '{}' }], `chunks of ${size}`)
  }
})
