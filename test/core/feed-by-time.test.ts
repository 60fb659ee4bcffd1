import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t, { type Test } from 'tap'
import { COMMAND_LINE } from '../../src/core/audit/events.ts'
import { compromiseKey, revokeEverything } from '../../src/core/keys/store.ts'
import { deltaDocument, fullDocument, isAhead, parseCursor, type FeedDocument } from '../../src/core/revocations/feed.ts'
import { Revocations } from '../../src/core/revocations/live.ts'
import type { FeedCursor } from '../../src/core/revocations/store.ts'
import { endSessionsOf } from '../../src/core/users/store.ts'
import type { Db } from '../../src/db/client.ts'
import { purgeExpiredEndings } from '../../src/jobs/purge.ts'
import { revocationId } from '../../src/lib/digest.ts'
import { databaseLink } from '../helpers/database-link.ts'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { open, silent } from '../helpers/open.ts'
import { world } from '../helpers/world.ts'

const INSERT = 'INSERT INTO revocation (kind, id, val, expires_at) VALUES ($1, $2, $3, now() + interval \'1 hour\')'
const token = (sid: string, sub: string = randomUUID(), ver = 1) => ({ sid, jti: 'jti', sub, ver, iat: 1_000 })
const nameOf = (sid: string) => revocationId('s', sid).toString('base64url')

/** A database that knows nothing of transaction ids: where one is asked for, that fails. */
const FORGET_XIDS = 'ALTER TABLE revocation DROP CONSTRAINT revocation_pkey, DROP COLUMN xid'

async function setUp (t: Test, { xids = false } = {}) {
  const url = await freshDatabase(t)
  const sql = await sqlTo(t, url)
  if (!xids) await sql(FORGET_XIDS)
  const db = open(t, url)
  /** It polls when told to; `byItself`: as it does in the service. */
  const live = async (feedCursor: FeedCursor = 'time', { byItself = false } = {}) => {
    const node = new Revocations({ db, log: silent, feedCursor })
    await node.start({ feed: '51ab1f3e-0000-4000-8000-000000000001', ttlSeconds: 720 })
    t.teardown(() => node.stop())
    if (!byItself) node.stop()
    return node
  }
  return { url, sql, db, live }
}

/** Somebody who follows the feed, as at another service. */
function follower (node: Revocations) {
  const ids = new Set<string>()
  let cursor = ''
  let fulls = 0
  const take = (document: FeedDocument) => {
    for (const [, id] of document.e) ids.add(id)
    cursor = document.cursor
    if (document.full) fulls++
  }
  take(fullDocument(node.state))
  return {
    ids, fulls: () => fulls - 1,
    follow: async (at = node) => {
      const known = parseCursor(cursor)!
      if (isAhead(at.state, known)) await at.poll()
      const document = deltaDocument(at.state, known)
      if (document) take(document)
      return document?.e.length ?? 0
    },
  }
}

t.test('of endings whose writers commit up to four seconds late, in any order, none is missed at nodes or by their followers', async t => {
  const { url, live } = await setUp(t)
  const nodes = [await live('time', { byItself: true }), await live('time', { byItself: true })] as const
  const hopper = follower(nodes[0])
  const ended: string[] = []
  const written = new AbortController()
  const following = (async () => { for (let hop = 0; !written.signal.aborted; hop++) { await hopper.follow(nodes[hop % 2]); await sleep(40) } })()
  await Promise.all(Array.from({ length: 12 }, async (_, writer) => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    t.teardown(async () => await client.end())
    for (let round = 0; round < 6; round++) {
      const sid = randomUUID()
      await client.query('BEGIN')
      await client.query(INSERT, ['s', revocationId('s', sid), 0])
      await sleep(round === 0 ? 300 * writer + 700 : Math.random() * 400)
      await client.query('COMMIT')
      ended.push(sid)
    }
  }))
  for (const node of nodes) await node.poll()
  written.abort()
  await following
  for (const node of nodes) await hopper.follow(node)
  t.equal(ended.length, 72)
  for (const node of nodes) t.strictSame(ended.filter(sid => !node.isRevoked(token(sid), 'kid')), [])
  t.strictSame(ended.filter(sid => !hopper.ids.has(nameOf(sid))), [])
  t.equal(hopper.fulls(), 0)
  t.equal(nodes[0].size, 72)
})

t.test('a follower who has everything is not answered at once, though the cursor stays ten seconds behind', async t => {
  const { sql, live } = await setUp(t)
  const node = await live()
  const reader = follower(node)
  await sql(INSERT, ['s', revocationId('s', 'one'), 0])
  await node.poll()
  t.equal(await reader.follow(), 1)
  for (let round = 0; round < 3; round++) {
    await node.poll()
    t.equal(await reader.follow(), 0)
  }
})

t.test('an ending that becomes visible later than the overlap is found by the comparison each minute, and followers are sent everything', async t => {
  const { sql, live } = await setUp(t)
  await sql(INSERT, ['s', revocationId('s', 'early'), 0])
  const node = await live()
  const reader = follower(node)
  await sql('INSERT INTO revocation (kind, id, expires_at, created_at) VALUES (\'s\', $1, now() + interval \'1 hour\', now() - interval \'12 seconds\')', [revocationId('s', 'late')])
  await node.poll()
  await reader.follow()
  t.notOk(node.isRevoked(token('late'), 'kid'), 'beyond the overlap: not yet')
  await node.reconcile()
  t.ok(node.isRevoked(token('late'), 'kid'))
  t.ok(node.isRevoked(token('early'), 'kid'))
  await reader.follow()
  t.ok(reader.ids.has(nameOf('late')))
  t.equal(reader.fulls(), 1)
  await node.poll()
  t.equal(await reader.follow(), 0, 'once')
})

t.test('a copy that is right is left alone by the comparison', async t => {
  const { sql, db } = await setUp(t)
  let warnings = 0
  const node = new Revocations({ db, log: { warn: () => { warnings++ } } as never, feedCursor: 'time' })
  for (const sid of ['one', 'two', 'three']) await sql('INSERT INTO revocation (kind, id, expires_at, created_at) VALUES (\'s\', $1, now() + interval \'1 hour\', now() - interval \'20.000001 seconds\')', [revocationId('s', sid)])
  // The same twice, which only a table without a key can hold: one entry.
  await sql('INSERT INTO revocation (kind, id, val, expires_at, created_at) SELECT kind, id, val, expires_at, created_at FROM revocation LIMIT 1')
  await node.poll()
  await node.reconcile()
  t.equal(warnings, 0)
  t.equal(node.size, 3)
  await sql('DELETE FROM revocation WHERE id = $1', [revocationId('s', 'two')])
  await node.reconcile()
  t.equal(warnings, 1, 'control: a difference is seen')
  t.equal(node.size, 2)
})

t.test('of two endings of one user in the same microsecond the later epoch counts', async t => {
  const { sql, live } = await setUp(t)
  for (const epoch of [2, 3]) await sql('INSERT INTO revocation (kind, id, val, expires_at, created_at) VALUES (\'u\', $1, $2, now() + interval \'1 hour\', date_trunc(\'minute\', now()))', [revocationId('u', 'ada'), epoch])
  const node = await live()
  t.ok(node.isRevoked(token('s', 'ada', 2), 'kid'))
  t.equal(node.state.log.size, 2)
})

/** The same database under a server whose clock is ahead. */
const ahead = (db: Db, seconds: number): Db => new Proxy(db, {
  get: (target, name) => name === '$queryRaw'
    ? async (...query: [never]) => (await target.$queryRaw<{ next: string }[]>(...query)).map(row => ({ ...row, next: String(BigInt(row.next) + BigInt(seconds) * 1_000_000n) }))
    : Reflect.get(target, name),
})

t.test('a clock that goes back a little is borne; one that goes back further has everything read anew', async t => {
  const { sql, db } = await setUp(t)
  for (const [seconds, anew] of [[2, false], [60, true]] as const) {
    const deps = { db: ahead(db, seconds), log: silent, feedCursor: 'time' as const }
    const node = new Revocations(deps)
    await node.poll()
    const { xmin } = node.state
    await sql(INSERT, ['s', revocationId('s', `after-${seconds}`), 0])
    deps.db = db
    await node.poll()
    t.ok(node.isRevoked(token(`after-${seconds}`), 'kid'))
    t.equal(node.state.xmin < xmin, anew, `${seconds} s`)
  }
})

t.test('a client that hops between nodes of either kind misses nothing', async t => {
  const { sql, live } = await setUp(t, { xids: true })
  const nodes = [await live('xid'), await live('time')] as const
  const hopper = follower(nodes[0])
  for (let round = 0; round < 8; round++) {
    await sql(INSERT, ['s', revocationId('s', `round-${round}`), 0])
    const node = nodes[(round + 1) % 2]!
    await node.poll()
    await hopper.follow(node)
    t.ok(hopper.ids.has(nameOf(`round-${round}`)), `round ${round}`)
  }
})

t.test('with FEED_CURSOR=time a whole node works on a table without transaction ids, and no statement of it speaks of them', async t => {
  const databaseUrl = await freshDatabase(t)
  await (await sqlTo(t, databaseUrl))(FORGET_XIDS)
  const link = await databaseLink(t, databaseUrl)
  const w = await world(t, { DATABASE_URL: link.url, FEED_CURSOR: 'time' })
  const other = await w.anotherNode()
  const tokens = await w.signIn()
  t.equal((await w.verify(tokens.access_token, other)).statusCode, 200)
  const { cursor } = (await other.call('GET', '/v1/revocations')).json<FeedDocument>()
  t.equal((await w.call('POST', '/v1/auth/logout', { body: { refresh_token: tokens.refresh_token } })).statusCode, 204)
  await other.ctx.revocations.poll()
  t.equal((await w.verify(tokens.access_token, other)).statusCode, 401)
  t.match((await other.call('GET', `/v1/revocations?since=${cursor}`)).json(), { full: false, e: [['s']] })

  const [disabled, everybody] = [await w.signIn(), await w.signIn()]
  await endSessionsOf(w.ctx, disabled.user.id, COMMAND_LINE, { disable: true })
  await w.ctx.revocations.poll()
  t.equal((await w.verify(disabled.access_token)).statusCode, 401)
  t.equal((await w.verify(everybody.access_token)).statusCode, 200)
  const { kid } = JSON.parse(Buffer.from(everybody.access_token.split('.')[0]!, 'base64url').toString()) as { kid: string }
  t.ok(await compromiseKey(w.ctx, kid, COMMAND_LINE))
  await revokeEverything(w.ctx, COMMAND_LINE)
  await w.ctx.revocations.poll()
  t.equal((await w.verify(everybody.access_token)).statusCode, 401)
  t.equal((await w.refresh(everybody.refresh_token)).statusCode, 401)
  await w.ctx.revocations.reconcile()
  await w.sql('INSERT INTO revocation (kind, id, expires_at) SELECT \'s\', decode(md5(n::text), \'hex\'), now() - n * interval \'1 second\' FROM generate_series(1, 4500) n')
  await purgeExpiredEndings(w.ctx.db)
  t.strictSame(await w.sql('SELECT count(*)::int AS expired FROM revocation WHERE expires_at < now()'), [{ expired: 0 }])

  const spoken = link.statements.filter(statement => statement.includes('revocation'))
  t.ok(spoken.some(statement => statement.startsWith('INSERT') || statement.includes('INSERT INTO revocation')) && spoken.some(statement => statement.includes('created_at >=')) && spoken.some(statement => statement.includes('DELETE')), 'they were recorded')
  t.strictSame(link.statements.filter(statement => /xid8|pg_snapshot|pg_current|txid|\bxmin\b|\br?\.?xid\b(?<!AS xid)/.test(statement)), [])
})
