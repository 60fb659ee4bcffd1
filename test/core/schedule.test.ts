import t from 'tap'
import { isPublished, KEY_USES, keyStates, keyToSignWith, leadSecondsOf, missingKeys, slotAt } from '../../src/core/keys/schedule.ts'

const DAY = 86_400
const key = (slot: number, more: object = {}) => ({ use: 'at' as const, slot, rev: 0, compromised: false, createdAt: 0, ...more })
/** Long after every key was made. */
const LATER = { slot: 5, at: 1_000, leadSeconds: 300 }

t.test('every node computes the same slot from the same time, to the second', async t => {
  t.equal(slotAt(0, 100), 0)
  t.equal(slotAt(99.999, 100), 0)
  t.equal(slotAt(100, 100), 1)
  t.equal(slotAt(1_800_000_000, 30 * DAY), Math.floor(1_800_000_000 / (30 * DAY)))
})

t.test('signing takes the newest usable key of the slot, else the next slot\'s, and never an older or a compromised one', async t => {
  const at = (...keys: ReturnType<typeof key>[]) => keyToSignWith(keys, 'at', LATER)
  t.equal(at(), undefined)
  t.equal(at(key(3), key(7)), undefined, 'neither the past nor the far future')
  t.match(at(key(4), key(5)), { slot: 5 })
  t.match(at(key(6), key(5)), { slot: 5 })
  t.match(at(key(5), key(5, { rev: 2 }), key(5, { rev: 1 })), { slot: 5, rev: 2 })
  t.match(at(key(5, { compromised: true }), key(6)), { slot: 6 })
  t.match(at(key(5, { rev: 3, compromised: true }), key(5, { rev: 2 })), { rev: 2 })
  t.equal(at(key(5, { use: 'rt' })), undefined, 'a key of another use')
})

t.test('the order in which rows arrive decides nothing', async t => {
  const keys = [key(5), key(5, { rev: 1 }), key(6), key(4), key(5, { rev: 2, compromised: true })]
  for (let turn = 0; turn < keys.length; turn++) t.strictSame(keyToSignWith([...keys.slice(turn), ...keys.slice(0, turn)], 'at', LATER), key(5, { rev: 1 }))
})

t.test('after an emergency the next slot\'s key signs, until its replacement has been public as long as verifiers cache', async t => {
  const struck = key(5, { compromised: true })
  const replacement = key(5, { rev: 1, createdAt: 1_000 })
  const signer = (at: number) => keyToSignWith([struck, replacement, key(6)], 'at', { slot: 5, at, leadSeconds: 300 })
  t.match(signer(1_001), { slot: 6 })
  t.match(signer(1_299.9), { slot: 6 })
  t.match(signer(1_300), { slot: 5, rev: 1 })
})

t.test('where every key is young, on a first start, the first made signs at once', async t => {
  const young = [key(5, { createdAt: 1_000 }), key(6, { createdAt: 999 })]
  t.match(keyToSignWith(young, 'at', { slot: 5, at: 1_001, leadSeconds: 300 }), { slot: 5, rev: 0 })
  const struck = [key(5, { createdAt: 1_000, compromised: true }), key(5, { rev: 1, createdAt: 1_010 }), key(6, { createdAt: 999 })]
  t.match(keyToSignWith(struck, 'at', { slot: 5, at: 1_011, leadSeconds: 300 }), { slot: 6 }, 'also after an emergency in its first minutes')
  t.match(keyToSignWith([key(4, { createdAt: 1_000 }), ...young], 'at', { slot: 5, at: 1_001, leadSeconds: 300 }), { slot: 4 }, 'and beyond its slot, while the next one is young')
  t.match(keyToSignWith([key(4, { createdAt: 1_000 }), ...young], 'at', { slot: 5, at: 1_300, leadSeconds: 300 }), { slot: 5 })
})

t.test('keys are due for this slot and the next, for every use', async t => {
  t.strictSame(missingKeys([], 5), KEY_USES.flatMap(use => [{ use, slot: 5, rev: 0 }, { use, slot: 6, rev: 0 }]))
  const full = KEY_USES.flatMap(use => [5, 6].map(slot => key(slot, { use })))
  t.strictSame(missingKeys(full, 5), [])
  t.strictSame(missingKeys(full, 6), KEY_USES.map(use => ({ use, slot: 7, rev: 0 })), 'a slot later only the next')
})

t.test('a compromised key is replaced by the next revision, also the second time', async t => {
  const full = KEY_USES.flatMap(use => [5, 6].map(slot => key(slot, { use })))
  const struck = full.map(each => each.use === 'at' && each.slot === 5 ? { ...each, compromised: true } : each)
  t.strictSame(missingKeys(struck, 5), [{ use: 'at', slot: 5, rev: 1 }])
  t.strictSame(missingKeys([...struck, key(5, { rev: 1, compromised: true })], 5), [{ use: 'at', slot: 5, rev: 2 }])
  t.strictSame(missingKeys([...struck, key(5, { rev: 1 })], 5), [])
})

t.test('a public key stays in the JWKS until the last token signed with it has expired, and a day; a compromised one is out at once', async t => {
  const end = 6 * 100 + 600 + DAY
  t.ok(isPublished(key(5), end - 1, 100, 600))
  t.notOk(isPublished(key(5), end, 100, 600))
  t.ok(isPublished(key(6), 500, 100, 600), 'the next slot\'s is there early')
  t.notOk(isPublished(key(5, { compromised: true }), 500, 100, 600))
})

t.test('a key waits until every node and every relay shows it and no older key set may be used; one that only nodes verify does not', async t => {
  const settings = { keySlotSeconds: 30 * DAY, jwksMaxAgeSeconds: 300 }
  t.equal(leadSecondsOf('at', settings), 420, 'a minute for the nodes, one for relays, and what caches may keep')
  t.equal(leadSecondsOf('rt', settings), 0)
  for (const jwksMaxAgeSeconds of [1, 300]) {
    const keySlotSeconds = 4 * jwksMaxAgeSeconds
    t.ok(leadSecondsOf('at', { keySlotSeconds, jwksMaxAgeSeconds }) < keySlotSeconds * 0.8, 'in the shortest slot too the next slot\'s key is old enough in time')
  }
})

t.test('an operator sees what each key does', async t => {
  const settings = { keySlotSeconds: DAY, jwksMaxAgeSeconds: 300, accessTokenTtlSeconds: 600, sessionMaxSeconds: 30 * DAY }
  const now = 5.5 * DAY
  const states = (...keys: ReturnType<typeof key>[]) => keyStates(keys, now, settings).map(({ state }) => state)
  t.strictSame(states(key(5), key(6), key(4), key(2)), ['signing', 'next', 'verifying', 'past'])
  t.strictSame(states(key(5), key(5, { rev: 1, createdAt: now - 60 }), key(6)), ['signing', 'waiting', 'next'])
  t.strictSame(states(key(5), key(5, { rev: 1, createdAt: now - 421 }), key(6)), ['verifying', 'signing', 'next'])
  t.strictSame(states(key(5, { compromised: true }), key(6)), ['revoked', 'signing'])
  t.strictSame(states(key(2, { use: 'rt' as never }), key(2, { use: 'ft' as never })), ['verifying', 'past'], 'refresh tokens outlive links')
})
