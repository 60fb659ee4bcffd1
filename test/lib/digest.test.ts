import { createHash } from 'node:crypto'
import t from 'tap'
import { revocationId, revocationName, type RevocationKind } from '../../src/lib/digest.ts'

t.test('the feed names things as its readers compute them: the first 12 bytes of SHA-256(kind ":" value)', async t => {
  t.equal(revocationId('s', 'abc').toString('hex'), createHash('sha256').update('s:abc').digest('hex').slice(0, 24))
  t.equal(revocationId('a', '').toString('hex'), createHash('sha256').update('a:').digest('hex').slice(0, 24))
})

t.test('one value ended as two kinds has two names, and each name is 12 bytes', async t => {
  const names = (['s', 'u', 'j', 'k', 'a'] as RevocationKind[]).map(kind => revocationId(kind, 'x'))
  t.equal(new Set(names.map(name => name.toString('hex'))).size, 5)
  t.ok(names.every(name => name.length === 12))
})

t.test('as text an ending has the name that the feed prints', async t => {
  for (const value of ['', 'abc', '01930f4e-8a3b-7c2d-9e1f-0a1b2c3d4e5f', 'é\u{1f600}']) t.equal(revocationName('u', value), revocationId('u', value).toString('base64url'))
})
