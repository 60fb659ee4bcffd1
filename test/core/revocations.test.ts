import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t, { type Test } from 'tap'
import type { Revocable } from '../../src/core/revocations/endings.ts'
import { Revocations } from '../../src/core/revocations/live.ts'
import type { Db } from '../../src/db/client.ts'
import { purgeExpiredEndings } from '../../src/jobs/purge.ts'
import { revocationId, type RevocationKind } from '../../src/lib/digest.ts'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { open, silent } from '../helpers/open.ts'

const INSERT = 'INSERT INTO revocation (kind, id, val, expires_at) VALUES ($1, $2, $3, now() + $4::interval)'
const row = (kind: RevocationKind, value: string, val = 0, lives = '1 hour') => [kind, revocationId(kind, value), val, lives]
const token = (more: Partial<Revocable> = {}): Revocable => ({ sid: randomUUID(), jti: 'jti', sub: randomUUID(), ver: 1, iat: 1_000, ...more })

async function setUp (t: Test) {
  const url = await freshDatabase(t)
  const db = open(t, url)
  return { url, db, sql: await sqlTo(t, url), live: new Revocations({ db, log: silent }) }
}

async function clientOf (t: Test, url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  t.teardown(async () => await client.end())
  return client
}

t.test('an ending that commits late, after newer ones were read, is not missed', async t => {
  const { url, sql, live } = await setUp(t)
  const slow = await clientOf(t, url)
  const [late, early] = [token(), token()]
  await slow.query('BEGIN')
  await slow.query(INSERT, row('s', late.sid!))
  await sql(INSERT, row('s', early.sid!))
  await live.poll()
  await live.poll()
  t.ok(live.isRevoked(early, 'kid'))
  t.notOk(live.isRevoked(late, 'kid'), 'not yet')
  await slow.query('COMMIT')
  await live.poll()
  t.ok(live.isRevoked(late, 'kid'))
})

t.test('of four hundred endings with commits in any order none is missed', async t => {
  const { url, live } = await setUp(t)
  const clients = await Promise.all(Array.from({ length: 10 }, async () => await clientOf(t, url)))
  const ended: Revocable[] = []
  const written = new AbortController()
  const polling = (async () => { while (!written.signal.aborted) { await live.poll(); await sleep(1) } })()
  await Promise.all(clients.map(async client => {
    for (let i = 0; i < 40; i++) {
      const each = token()
      await client.query('BEGIN')
      await client.query(INSERT, row('s', each.sid!))
      await sleep(Math.random() * 15)
      await client.query('COMMIT')
      ended.push(each)
    }
  }))
  written.abort()
  await polling
  await live.poll()
  t.equal(ended.length, 400)
  t.strictSame(ended.filter(each => !live.isRevoked(each, 'kid')), [])
  t.equal(live.size, 400, 'and what was read twice is one entry')
})

t.test('each kind of ending ends what it names and nothing else', async t => {
  const { db, sql, live } = await setUp(t)
  await live.poll()
  const victim = token({ jti: 'one', ver: 1, iat: 1_000 })
  t.notOk(live.isRevoked(victim, 'kid'))
  const cases: [RevocationKind, string, number, Revocable, string][] = [
    ['s', victim.sid!, 0, token({ ...victim, sid: randomUUID() }), 'kid'],
    ['j', 'one', 0, token({ ...victim, jti: 'two' }), 'kid'],
    ['k', 'kid', 0, victim, 'another'],
    ['u', victim.sub, 2, token({ ...victim, ver: 2 }), 'kid'],
    ['a', '', 1_001, token({ ...victim, iat: 1_001 }), 'kid'],
  ]
  for (const [kind, value, val, untouched, kid] of cases) {
    await sql('TRUNCATE revocation')
    await sql(INSERT, row(kind, value, val))
    const fresh = new Revocations({ db, log: silent })
    await fresh.poll()
    t.ok(fresh.isRevoked(victim, 'kid'), `${kind} ends it`)
    t.notOk(fresh.isRevoked(untouched, kid), `${kind} ends nothing else`)
  }
})

t.test('the higher epoch wins, in whatever order the endings are read', async t => {
  const { sql, live } = await setUp(t)
  const user = randomUUID()
  for (const epoch of [3, 2]) {
    await sql(INSERT, row('u', user, epoch))
    await live.poll()
  }
  t.ok(live.isRevoked(token({ sub: user, ver: 2 }), 'kid'))
  t.notOk(live.isRevoked(token({ sub: user, ver: 3 }), 'kid'))
})

t.test('the higher epoch wins, also where this node hears of its own endings in the wrong order', async t => {
  const { sql, live } = await setUp(t)
  const user = randomUUID()
  await sql(INSERT, row('u', user, 3))
  await live.poll()
  live.note('u', user, 2)
  t.ok(live.isRevoked(token({ sub: user, ver: 2 }), 'kid'))
})

t.test('an ending is forgotten when no token can be alive, and not before', async t => {
  const { sql, live } = await setUp(t)
  const [soon, later] = [token(), token()]
  await sql(INSERT, row('s', soon.sid!, 0, '400 milliseconds'))
  await sql(INSERT, row('s', later.sid!))
  await live.poll()
  t.equal(live.size, 2)
  await sleep(1_200)
  await live.poll()
  t.equal(live.size, 1)
  t.notOk(live.isRevoked(soon, 'kid'))
  t.ok(live.isRevoked(later, 'kid'))
})

// It used to be taken in and swept out again, each second until the purge, and sent to every reader each time.
t.test('an ending that has expired is no news, though a long transaction has the node read it again and again', async t => {
  const { url, sql, live } = await setUp(t)
  const slow = await clientOf(t, url)
  await slow.query('BEGIN')
  await slow.query(INSERT, row('s', randomUUID()))
  await sql(INSERT, row('s', randomUUID(), 0, '300 milliseconds'))
  await live.poll()
  t.equal(live.size, 1)
  await sleep(1_200)
  await live.poll()
  const news: boolean[] = []
  live.onRead(changed => { news.push(changed) })
  for (let round = 0; round < 4; round++) { await sleep(400); await live.poll() }
  t.strictSame(news, [false, false, false, false])
  t.equal(live.size, 0)
})

t.test('the node that ended something knows before its next poll', async t => {
  const { live } = await setUp(t)
  await live.poll()
  const ended = token()
  live.note('s', ended.sid!)
  t.ok(live.isRevoked(ended, 'kid'))
  await live.poll()
  t.ok(live.isRevoked(ended, 'kid'), 'and does not forget it')
})

/** The same database as it was under a primary whose transaction ids were far ahead. */
const ahead = (db: Db): Db => new Proxy(db, {
  get: (target, name) => name === '$queryRaw'
    ? async (...query: [never]) => (await target.$queryRaw<{ next: string }[]>(...query)).map(row => ({ ...row, next: String(BigInt(row.next) + 1_000_000n) }))
    : Reflect.get(target, name),
})

t.test('after a restore or a failover to another timeline the endings are read anew', async t => {
  const { db, sql } = await setUp(t)
  const deps = { db: ahead(db), log: silent }
  const live = new Revocations(deps)
  const [lost, kept] = [token(), token()]
  await sql(INSERT, row('s', lost.sid!))
  await live.poll()
  t.ok(live.isRevoked(lost, 'kid'))
  await sql('TRUNCATE revocation')
  await sql(INSERT, row('s', kept.sid!))
  deps.db = db
  await live.poll()
  t.ok(live.isRevoked(kept, 'kid'), 'though its transaction id is below the old cursor')
  t.notOk(live.isRevoked(lost, 'kid'), 'what did not happen on this timeline is gone')
})

t.test('a copy that differs is read anew though a poll is under way, and forgets nothing on the way', async t => {
  const { db, sql } = await setUp(t)
  let hold: Promise<void> | undefined
  const held = new Proxy(db, {
    get: (target, name) => name === '$queryRaw'
      ? async (...query: [TemplateStringsArray]) => {
        const answer = await target.$queryRaw(...query)
        if (query[0].join('').includes('pg_current_snapshot')) await hold
        return answer
      }
      : Reflect.get(target, name)
  })
  const live = new Revocations({ db: held, log: silent })
  const [known, missed] = [token(), token()]
  await sql(INSERT, row('s', known.sid!))
  await live.poll()
  await sql('INSERT INTO revocation (xid, kind, id, expires_at) VALUES (\'3\', \'s\', $1, now() + interval \'1 hour\')', [revocationId('s', missed.sid!)])
  const release = Promise.withResolvers<void>()
  hold = release.promise
  const polling = live.poll()
  const reconciling = live.reconcile()
  await sleep(300) // the digest has been compared by then
  hold = undefined
  release.resolve()
  await Promise.all([polling, reconciling])
  t.ok(live.isRevoked(known, 'kid'), 'what was known is not lost')
  t.ok(live.isRevoked(missed, 'kid'), 'what was missed is found')
})

t.test('the purge takes expired endings in batches and leaves the living', async t => {
  const { db, sql } = await setUp(t)
  await sql('INSERT INTO revocation (kind, id, expires_at) SELECT \'s\', decode(md5(n::text), \'hex\'), now() - interval \'1 second\' FROM generate_series(1, 4500) n')
  const living = token()
  await sql(INSERT, row('s', living.sid!))
  await purgeExpiredEndings(db)
  t.strictSame(await sql('SELECT count(*)::int AS left FROM revocation'), [{ left: 1 }])
})

t.test('an ending of a kind that only a later release knows disturbs nothing, and is passed on', async t => {
  const { sql, live } = await setUp(t)
  const ended = token()
  await sql(INSERT, row('x' as RevocationKind, 'something'))
  await sql(INSERT, row('s', ended.sid!))
  await live.poll()
  t.ok(live.isRevoked(ended, 'kid'))
  t.notOk(live.isRevoked(token(), 'kid'))
  t.equal(live.state.log.size, 2)
})
