import { createHash } from 'node:crypto'
import t from 'tap'
import { revocationId, type RevocationKind } from '../../src/lib/digest.ts'

t.test('the feed names things as its readers compute them: the first 12 bytes of SHA-256(kind ":" value)', async t => {
  t.equal(revocationId('s', 'abc').toString('hex'), createHash('sha256').update('s:abc').digest('hex').slice(0, 24))
  t.equal(revocationId('a', '').toString('hex'), createHash('sha256').update('a:').digest('hex').slice(0, 24))
})

t.test('one value ended as two kinds has two names, and each name is 12 bytes', async t => {
  const names = (['s', 'u', 'j', 'k', 'a'] as RevocationKind[]).map(kind => revocationId(kind, 'x'))
  t.equal(new Set(names.map(name => name.toString('hex'))).size, 5)
  t.ok(names.every(name => name.length === 12))
})
