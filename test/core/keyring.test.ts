import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { KeyEncryptionKeys } from '../../src/config-values.ts'
import { generateKey } from '../../src/core/keys/generate.ts'
import { Keyring } from '../../src/core/keys/keyring.ts'
import { sealKey } from '../../src/core/keys/sealing.ts'
import { COMMAND_LINE } from '../../src/core/audit/events.ts'
import { compromiseKey, insertKey } from '../../src/core/keys/store.ts'
import { openDatabase, type Db } from '../../src/db/client.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { open, silent } from '../helpers/open.ts'

const SLOT = 30 * 86_400
const keks = (...ids: string[]): KeyEncryptionKeys => new Map(ids.map(id => [id, randomBytes(32)]))
const ringOn = (db: Db, keyEncryptionKey: KeyEncryptionKeys) => new Keyring({
  db, clock: systemClock, log: silent,
  settings: { keyEncryptionKey, signingAlg: 'ES256', keySlotSeconds: SLOT, jwksMaxAgeSeconds: 300, accessTokenTtlSeconds: 600, sessionMaxSeconds: 90 * 86_400 },
})
const now = () => Date.now() / 1000
const kidsOf = (ring: Keyring) => ring.published().map(({ kid }) => kid).sort()

t.test('eight nodes that start at once on an empty database agree on one key for each use and slot', async t => {
  const url = await freshDatabase(t)
  const sql = await sqlTo(t, url)
  const kek = keks('k')
  const rings = Array.from({ length: 8 }, () => ringOn(open(t, url), kek))
  await Promise.all(rings.map(async ring => await ring.reload()))
  const rows = await sql('SELECT use, count(*)::int AS keys, max(rev)::int AS rev FROM signing_key GROUP BY use ORDER BY use')
  t.strictSame(rows, ['at', 'ft', 'rt'].map(use => ({ use, keys: 2, rev: 0 })))
  for (const ring of rings) {
    t.strictSame(kidsOf(ring), kidsOf(rings[0]!))
    for (const use of ['at', 'rt', 'ft'] as const) t.equal(ring.signingKey(use, now()).kid, rings[0]!.signingKey(use, now()).kid)
  }
})

t.test('of eight keys made for one slot at the same moment one is kept', async t => {
  const url = await freshDatabase(t)
  const db = open(t, url)
  const kek = keks('k')
  const candidate = async (slot: number, rev: number) => {
    const key = await generateKey('HS256')
    const place = { use: 'rt' as const, slot, rev }
    return { ...key, ...place, ...sealKey(kek, { ...key, ...place }, key.secret) }
  }
  for (let slot = 1; slot <= 20; slot++) {
    const candidates = await Promise.all(Array.from({ length: 8 }, async () => await candidate(slot, 0)))
    const won = await Promise.all(candidates.map(async key => await insertKey(db, key)))
    t.equal(won.filter(Boolean).length, 1, `slot ${slot}`)
  }
  t.notOk(await insertKey(db, await candidate(1, 1)), 'no further revision while the one there is good')
  t.notOk(await insertKey(db, await candidate(21, 1)), 'and none before the first')
})

t.test('a new key-encryption key in front takes over the stored keys, and the old one can be taken away', async t => {
  const url = await freshDatabase(t)
  const sql = await sqlTo(t, url)
  const db = open(t, url)
  const old = keks('old')
  const before = ringOn(db, old)
  await before.reload()
  const fresh = keks('new')
  await ringOn(db, new Map([...fresh, ...old])).reload()
  t.strictSame(await sql('SELECT DISTINCT kek_id FROM signing_key'), [{ kek_id: 'new' }])
  const after = ringOn(db, fresh)
  await after.reload()
  t.strictSame(kidsOf(after), kidsOf(before), 'the signing keys are the same')
  t.strictSame(after.signingKey('rt', now()).secret, before.signingKey('rt', now()).secret)
  await t.rejects(ringOn(db, old).reload(), { name: 'StartError', message: /"new", which KEY_ENCRYPTION_KEY does not contain/ })
  await t.rejects(ringOn(db, keks('new')).reload(), { name: 'StartError', message: /another "new"/ }, 'the same id with other bytes')
})

t.test('a node that lacks the new key-encryption key still stops at once using a key that was revoked', async t => {
  const url = await freshDatabase(t)
  const db = open(t, url)
  const old = keks('old')
  const behind = ringOn(db, old)
  await behind.reload()
  const fresh = keks('new')
  await ringOn(db, new Map([...fresh, ...old])).reload() // a node of the next deployment moves the keys over
  const { kid } = behind.signingKey('rt', now())
  await compromiseKey({ db, clock: systemClock }, kid, COMMAND_LINE)
  await ringOn(db, new Map([...keks('newer'), ...fresh])).reload() // its replacement is there too, and does not open here
  await t.rejects(behind.reload(), { name: 'StartError' })
  t.equal(behind.find('rt', kid), undefined)
  t.not(behind.signingKey('rt', now()).kid, kid)
})

t.test('rows that somebody with write access swapped, renamed or moved do not open', async t => {
  const url = await freshDatabase(t)
  const sql = await sqlTo(t, url)
  const db = open(t, url)
  const kek = keks('k')
  await ringOn(db, kek).reload()
  const attacks = {
    'another row\'s secret': 'UPDATE signing_key a SET private_enc = b.private_enc FROM signing_key b WHERE a.use = \'rt\' AND b.use = \'ft\' AND a.slot = b.slot',
    'the next slot\'s secret': 'UPDATE signing_key a SET private_enc = b.private_enc FROM signing_key b WHERE a.use = b.use AND a.slot = b.slot - 1',
    'another name': 'UPDATE signing_key SET kid = \'chosen\' WHERE kid = (SELECT kid FROM signing_key WHERE use = \'at\' LIMIT 1)',
    'another algorithm': 'UPDATE signing_key SET alg = \'RS256\' WHERE use = \'at\'',
    'another revision': 'UPDATE signing_key SET rev = 7 WHERE use = \'at\'',
    'another use': 'UPDATE signing_key SET use = \'at\', rev = 9 WHERE use = \'ft\'',
    'a flipped bit': 'UPDATE signing_key SET private_enc = set_bit(private_enc, 250, 1 - get_bit(private_enc, 250)) WHERE use = \'rt\'',
  }
  const saved = await sql('SELECT * INTO saved_key FROM signing_key')
  t.same(saved, [])
  for (const [what, attack] of Object.entries(attacks)) {
    await sql(attack)
    await t.rejects(ringOn(db, kek).reload(), { name: 'StartError' }, what)
    await sql('TRUNCATE signing_key')
    await sql('INSERT INTO signing_key SELECT * FROM saved_key')
  }
  await ringOn(db, kek).reload()
})

t.test('names of the language, keys of another use and compromised keys are not found', async t => {
  const url = await freshDatabase(t)
  const sql = await sqlTo(t, url)
  const ring = ringOn(open(t, url), keks('k'))
  await ring.reload()
  for (const kid of ['constructor', '__proto__', 'toString', '']) t.equal(ring.find('at', kid), undefined, kid)
  const struck = ring.signingKey('at', now())
  t.equal(ring.find('rt', struck.kid), undefined)
  t.equal(ring.find('at', struck.kid), struck)

  await sql('UPDATE signing_key SET compromised_at = now() WHERE kid = $1', [struck.kid])
  await ring.reload()
  t.equal(ring.find('at', struck.kid), undefined)
  t.notOk(kidsOf(ring).includes(struck.kid), 'not in the JWKS either')
  t.match(ring.signingKey('at', now()), { slot: struck.slot + 1, rev: 0, compromised: false }, 'what verifiers have already signs next')
  const replacement = ring.signingKey('at', now() + 421)
  t.match(replacement, { slot: struck.slot, rev: 1, compromised: false }, 'and the replacement once they can have it')
  t.ok(kidsOf(ring).includes(replacement.kid), 'so it is in the JWKS at once')
})

/** The same database, with its statements counted. */
function counted (db: Db): { db: Db, count: () => number } {
  let statements = 0
  return {
    count: () => statements,
    db: new Proxy(db, { get: (target, name) => { if (name === '$queryRaw') statements++; return Reflect.get(target, name) } }),
  }
}

t.test('a thousand made-up kids cost one look-up in five seconds, however they arrive', async t => {
  const url = await freshDatabase(t)
  const kek = keks('k')
  await ringOn(open(t, url), kek).reload()
  const { db, count } = counted(open(t, url))
  const ring = ringOn(db, kek)
  const kid = () => randomBytes(16).toString('base64url')
  const many = async () => await Promise.all(Array.from({ length: 1_000 }, async () => await ring.findFresh('at', kid())))

  const answers = await many()
  t.ok(answers.every(({ key }) => key === undefined))
  t.ok(answers[0]!.fresh, 'who asked first knows that there is none')
  t.equal(count(), 1)
  t.ok((await many()).every(({ key, fresh }) => key === undefined && !fresh), 'and whoever comes later is told that nobody looked')
  for (let i = 0; i < 1_000; i++) await ring.findFresh('at', kid())
  t.equal(count(), 1)
  await sleep(5_100)
  await many()
  t.equal(count(), 2)
})

t.test('a kid made on another node a moment ago is found; without a database the answer is "could not look"', async t => {
  const url = await freshDatabase(t)
  const kek = keks('k')
  const first = ringOn(open(t, url), kek)
  await first.reload()
  const made = first.signingKey('at', now())
  t.match(await ringOn(open(t, url), kek).findFresh('at', made.kid), { key: { kid: made.kid }, fresh: true })

  const { db, close } = openDatabase(url, { log: silent })
  await close()
  t.strictSame(await ringOn(db, kek).findFresh('at', made.kid), { key: undefined, fresh: false })
})

t.test('a key that has left the JWKS verifies no access token any more: leaking then, it is worth nothing', async t => {
  const url = await freshDatabase(t)
  let ahead = 0
  const clock = { now: () => Date.now() + ahead }
  const ring = new Keyring({ db: open(t, url), clock, log: silent, settings: { keyEncryptionKey: keks('k'), signingAlg: 'ES256', keySlotSeconds: SLOT, jwksMaxAgeSeconds: 300, accessTokenTtlSeconds: 600, sessionMaxSeconds: 90 * 86_400 } })
  await ring.reload()
  const [access, refresh] = [ring.signingKey('at', now()), ring.signingKey('rt', now())]
  t.equal(ring.find('at', access.kid), access)
  ahead = (SLOT + 2 * 86_400) * 1000
  t.equal(ring.find('at', access.kid), undefined)
  t.notOk(kidsOf(ring).includes(access.kid))
  t.equal(ring.find('rt', refresh.kid), refresh, 'refresh tokens live longer')
})
