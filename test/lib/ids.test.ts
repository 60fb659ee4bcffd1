import t from 'tap'
import { isUuid, uuidToBase64url, uuidv7, uuidv7Floor } from '../../src/lib/ids.ts'

const MS = 1_732_442_400_123
const MASK_HIGH = 0x0000_0000_0000_0fff_3fff_ffff_ffff_ffffn
const bits = (uuid: string): bigint => BigInt(`0x${uuid.replaceAll('-', '')}`)

t.test('a session id is a UUIDv7 of its millisecond', async t => {
  const id = uuidv7(MS + 0.9)
  t.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  t.ok(isUuid(id))
  t.equal(Number(bits(id) >> 80n), MS)
})

t.test('all 74 bits that are not time or version are random, within one millisecond too', async t => {
  const N = 4_096
  const ids = Array.from({ length: N }, () => uuidv7(MS))
  t.equal(new Set(ids).size, N)
  const counts = Array.from({ length: 128 }, (_, bit) => ids.filter(id => (bits(id) >> BigInt(bit)) & 1n).length)
  const random = counts.filter((_, bit) => (MASK_HIGH >> BigInt(bit)) & 1n)
  t.equal(random.length, 74)
  // Six standard deviations of a fair coin: a bit that a counter holds would be far outside.
  for (const ones of random) t.ok(Math.abs(ones - N / 2) < 6 * Math.sqrt(N) / 2, String(ones))
  t.ok(counts.filter((_, bit) => !((MASK_HIGH >> BigInt(bit)) & 1n)).every(ones => ones === 0 || ones === N), 'and the others never change')
})

t.test('an id does not tell the one made after it', async t => {
  const ids = Array.from({ length: 1_000 }, () => bits(uuidv7(MS)) & MASK_HIGH)
  const ascending = ids.filter((id, at) => at > 0 && id > ids[at - 1]!).length
  t.ok(ascending > 400 && ascending < 600, `${ascending} of 999 ascend`)
})

t.test('the floor of a millisecond is below each of its ids and above all that came before', async t => {
  for (let round = 0; round < 200; round++) {
    t.ok(uuidv7Floor(MS) <= uuidv7(MS))
    t.ok(uuidv7Floor(MS) > uuidv7(MS - 1))
  }
  t.ok(isUuid(uuidv7Floor(0)))
})

t.test('only the canonical lower-case form is a UUID', async t => {
  const id = uuidv7(MS)
  for (const no of [id.toUpperCase(), `{${id}}`, ` ${id}`, `${id}\n`, id.replaceAll('-', ''), '', null, undefined, 7, [id], { toString: () => id }]) t.notOk(isUuid(no), String(no))
})

t.test('22 characters hold all 16 bytes', async t => {
  const id = uuidv7(MS)
  t.match(uuidToBase64url(id), /^[A-Za-z0-9_-]{22}$/)
  t.equal(Buffer.from(uuidToBase64url(id), 'base64url').toString('hex'), id.replaceAll('-', ''))
})
