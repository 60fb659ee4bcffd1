import { randomBytes } from 'node:crypto'
import t from 'tap'
import { listName, openCursor, sealCursor } from '../../src/lib/cursor.ts'

const [key, older] = [randomBytes(32), randomBytes(32)]
const list = listName({ list: 'users', sub: 'ada', status: 'active' })
const content = { position: ['01930f4e-8a3b-7c2d-9e1f-0a1b2c3d4e5f'], list, expiresAt: 1_000 }

t.test('a cursor opens under any key that is still held, for its list, until its time', t => {
  const cursor = sealCursor(older, content)
  t.ok(cursor.length < 200, `${cursor.length} characters`)
  t.strictSame(openCursor([key, older], cursor, { list, now: 999 }), content.position)
  t.equal(openCursor([key, older], cursor, { list, now: 1_000 }), null, 'expired')
  t.equal(openCursor([key], cursor, { list, now: 999 }), null, 'another key')
  t.equal(openCursor([], cursor, { list, now: 999 }), null, 'no key')
  t.not(sealCursor(older, content), cursor, 'nor does it tell that two are the same')
  t.end()
})

t.test('one bit, another spelling or another list is no cursor', t => {
  const cursor = sealCursor(key, content)
  const bytes = Buffer.from(cursor, 'base64url')
  for (let at = 0; at < bytes.length; at++) {
    const bent = Buffer.from(bytes)
    bent[at]! ^= 1
    if (openCursor([key], bent.toString('base64url'), { list, now: 0 }) !== null) t.fail(`byte ${at}`)
  }
  for (const text of ['', 'x', cursor.slice(0, -4), `${cursor}=`, `${cursor}A`, `${cursor} `, bytes.toString('base64'), bytes.toString('hex'), 'AQ']) {
    if (text !== cursor) t.equal(openCursor([key], text, { list, now: 0 }), null, JSON.stringify(text).slice(0, 20))
  }
  for (const other of [{ list: 'users', sub: 'eve', status: 'active' }, { list: 'users', sub: 'ada' }, { list: 'clients', sub: 'ada', status: 'active' }, { list: 'users', sub: 'ada', status: 'active', role: 'x' }]) {
    t.equal(openCursor([key], cursor, { list: listName(other), now: 0 }), null, JSON.stringify(other))
  }
  t.equal(listName({ status: 'active', sub: 'ada', role: undefined, list: 'users' }), list, 'the order of filters does not matter')
  t.end()
})
