import { randomBytes } from 'node:crypto'
import t from 'tap'
import { FeedLog, fingerprint } from '../../src/core/revocations/feed-log.ts'

const row = (xid: number, lives = 1_000) => ({ xid: String(xid), kind: 's' as const, id: randomBytes(12), val: 0, expires_at: lives })

t.test('the fingerprint from any transaction on is that of its entries, in whatever order they came and went', t => {
  const log = new FeedLog()
  const rows = Array.from({ length: 60 }, (_, at) => row(100 + at % 20, at % 3 === 0 ? 500 : 1_000)).sort(() => Math.random() - 0.5)
  const check = () => { for (let xid = 95n; xid < 125n; xid++) t.equal(log.printFrom(xid), fingerprint(log.from(xid))) }
  check()
  for (const each of rows) t.ok(log.add(each))
  t.notOk(log.add(rows[0]!), 'what is read twice is one entry')
  check()
  log.expire(600)
  t.equal(log.size, 40)
  check()
  log.add(row(99))
  check()
  t.end()
})
