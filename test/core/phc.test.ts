import argon2 from 'argon2'
import t from 'tap'
import { parsePhc } from '../../src/core/passwords/phc.ts'
import { Passwords } from '../../src/core/passwords/hash.ts'

const SALT = 'c2FsdHNhbHRzYWx0c2FsdA'
const HASH = 'aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g'
const phc = (parameters: string) => `$argon2id$v=19$${parameters}$${SALT}$${HASH}`

t.test('the parameters are read in both orders that are in use', async t => {
  t.strictSame(parsePhc(phc('m=19456,t=2,p=1')), { memoryKib: 19456, passes: 2, lanes: 1 })
  t.strictSame(parsePhc(phc('m=19456,p=1,t=2')), { memoryKib: 19456, passes: 2, lanes: 1 })
  const written = await argon2.hash('x', { type: argon2.argon2id, memoryCost: 8192, timeCost: 3, parallelism: 2 })
  t.strictSame(parsePhc(written), { memoryKib: 8192, passes: 3, lanes: 2 }, 'as the module writes them')
})

t.test('a stored hash that would take all memory or all time is refused before argon2 sees it', async t => {
  for (const parameters of ['m=4294967295,t=2,p=1', 'm=1048577,t=2,p=1', 'm=19456,t=21,p=1', 'm=19456,t=9999,p=1', 'm=19456,t=2,p=9', 'm=19456,t=0,p=1', 'm=19456,t=2,p=0', 'm=7,t=2,p=1', 'm=99999999999,t=2,p=1']) t.equal(parsePhc(phc(parameters)), null, parameters)
})

t.test('what is no argon2id hash of ours is none', async t => {
  const good = phc('m=19456,t=2,p=1')
  for (const stored of ['', ' ', good.replace('argon2id', 'argon2i'), good.replace('argon2id', 'argon2d'), good.replace('v=19', 'v=16'), `${good} `, `${good}\n`, ` ${good}`, good.slice(0, -30), `${good}=`, phc('t=2,m=19456,p=1'), phc('m=19456,t=2'), phc('m=-1,t=2,p=1'), phc('m=1e5,t=2,p=1'), '$2b$10$abcdefghijklmnopqrstuu', 'plain text']) {
    t.equal(parsePhc(stored), null, JSON.stringify(stored))
  }
})

t.test('a new hash is in the order of the specification, verifies, and is renewed when parameters change', async t => {
  const old = new Passwords({ argon2MemoryKib: 7168, argon2Passes: 5 })
  const now = new Passwords({ argon2MemoryKib: 8192, argon2Passes: 5 })
  await Promise.all([old.selfTest(), now.selfTest()])
  const waiter = { bucket: 'x' }
  const stored = await old.hash('pässword', waiter)
  t.match(stored, /^\$argon2id\$v=19\$m=7168,t=5,p=1\$/)
  t.strictSame(await old.verify(stored, 'pa\u0308ssword', waiter), { ok: true, rehash: null }, 'typed on another keyboard')
  t.strictSame(await old.verify(stored, 'Pässword', waiter), { ok: false })
  const verdict = await now.verify(stored, 'pässword', waiter)
  t.match(verdict, { ok: true, rehash: /m=8192,t=5,p=1/ })
  for (const unusable of [null, '', 'corrupt', phc('m=4294967295,t=2,p=1')]) t.strictSame(await now.verify(unusable, 'pässword', waiter), { ok: false }, String(unusable))
})
