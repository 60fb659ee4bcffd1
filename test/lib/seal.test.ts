import { randomBytes } from 'node:crypto'
import t from 'tap'
import { seal, unseal } from '../../src/lib/seal.ts'

const key = randomBytes(32)
const secret = Buffer.from('the private half of a key')

t.test('what was sealed comes back, under the same key and context only', async t => {
  const sealed = seal(key, secret, 'at|1|0')
  t.same(unseal(key, sealed, 'at|1|0'), secret)
  t.throws(() => unseal(randomBytes(32), sealed, 'at|1|0'), 'another key')
  for (const context of ['', 'at|1|1', 'at|1|0 ', 'AT|1|0']) t.throws(() => unseal(key, sealed, context), `context "${context}"`)
  t.same(unseal(key, seal(key, Buffer.alloc(0), 'empty'), 'empty'), Buffer.alloc(0))
})

t.test('a single flipped bit anywhere is noticed', async t => {
  const sealed = seal(key, secret, 'c')
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const changed = Buffer.from(sealed)
    changed[bit >> 3]! ^= 1 << (bit & 7)
    try { unseal(key, changed, 'c'); t.fail(`bit ${bit} was not noticed`) } catch {}
  }
  t.pass(`${sealed.length * 8} bits`)
})

t.test('a shortened or lengthened value is refused, however short its tag became', async t => {
  const sealed = seal(key, secret, 'c')
  for (let length = 0; length < sealed.length; length++) {
    try { unseal(key, sealed.subarray(0, length), 'c'); t.fail(`${length} bytes were accepted`) } catch {}
  }
  t.throws(() => unseal(key, Buffer.concat([sealed, Buffer.alloc(1)]), 'c'))
})

t.test('sealing twice never shows that the secrets are the same', async t => {
  const many = Array.from({ length: 1_000 }, () => seal(key, secret, 'c'))
  t.equal(new Set(many.map(sealed => sealed.subarray(0, 12).toString('hex'))).size, 1_000, 'every IV is new')
  t.equal(new Set(many.map(sealed => sealed.subarray(28).toString('hex'))).size, 1_000)
  t.notOk(many.some(sealed => sealed.includes('private')))
})
