import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { COMMAND_LINE } from '../../src/core/audit/events.ts'
import { Keyring } from '../../src/core/keys/keyring.ts'
import { compromiseKey } from '../../src/core/keys/store.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { open, silent } from '../helpers/open.ts'

const LEAD = 420
const now = () => Date.now() / 1000

/** Nodes on one database whose keys have been there for an hour. */
async function nodes (t: Test, count: number, signingAlg: 'ES256' | 'RS256' = 'ES256') {
  const url = await freshDatabase(t)
  const sql = await sqlTo(t, url)
  const keyEncryptionKey = new Map([['k', randomBytes(32)]])
  const ring = (alg = signingAlg) => new Keyring({
    db: open(t, url), clock: systemClock, log: silent,
    settings: { keyEncryptionKey, signingAlg: alg, keySlotSeconds: 30 * 86_400, jwksMaxAgeSeconds: 300, accessTokenTtlSeconds: 600, sessionMaxSeconds: 90 * 86_400 },
  })
  const age = async () => { await sql('UPDATE signing_key SET created_at = created_at - interval \'1 hour\'') }
  const rings = Array.from({ length: count }, () => ring())
  for (const each of rings) await each.reload()
  await age()
  for (const each of rings) await each.reload()
  // What was open already is kept as it was read.
  const fresh = Array.from({ length: count }, () => ring())
  for (const each of fresh) await each.reload()
  return { rings: fresh, ring, sql, age, url }
}

t.test('a rotated key is published at once on the node that was asked, and signs once every cached key set has it', async t => {
  const { rings: [node] } = await nodes(t, 1)
  const before = node!.signingKey('at', now())
  const { kid, signsFrom } = await node!.rotate(COMMAND_LINE)
  t.not(kid, before.kid)
  t.ok(Math.abs(signsFrom - now() - LEAD) < 5)
  t.ok(node!.published().some(key => key.kid === kid))
  t.equal(node!.signingKey('at', now()).kid, before.kid, 'until then the old one signs')
  t.equal(node!.signingKey('at', signsFrom - 1).kid, before.kid)
  t.equal(node!.signingKey('at', signsFrom).kid, kid)
  t.ok(node!.find('at', before.kid), 'and what the old one signed is good')
  t.ok(node!.published().some(key => key.kid === before.kid), 'everywhere')
  const later = node!.signingKey('at', now() + 30 * 86_400)
  t.equal(later.rev, 1, 'in the next slot the new one over that')
})

t.test('the keys of refresh tokens and links are not touched', async t => {
  const { rings: [node], sql } = await nodes(t, 1)
  await node!.rotate(COMMAND_LINE)
  t.strictSame(await sql('SELECT use, count(*)::int AS keys FROM signing_key GROUP BY use ORDER BY use'), [{ use: 'at', keys: 4 }, { use: 'ft', keys: 2 }, { use: 'rt', keys: 2 }])
})

t.test('ten rotations at once on two nodes, and one a minute later, are one', async t => {
  const { rings: [one, other], sql, age } = await nodes(t, 2)
  const answers = await Promise.all(Array.from({ length: 10 }, async (_, i) => await (i % 2 === 0 ? one! : other!).rotate(COMMAND_LINE)))
  t.equal(new Set(answers.map(({ kid, signsFrom }) => `${kid} ${signsFrom}`)).size, 1)
  t.strictSame(await one!.rotate(COMMAND_LINE), answers[0])
  t.strictSame(await sql('SELECT rev::int, count(*)::int AS keys FROM signing_key WHERE use = \'at\' GROUP BY rev ORDER BY rev'), [{ rev: 0, keys: 2 }, { rev: 1, keys: 2 }])
  t.strictSame(await sql('SELECT actor, data FROM audit_event WHERE type = \'key.rotated\''), await sql('SELECT \'cli\' AS actor, jsonb_build_object(\'kids\', jsonb_agg(kid ORDER BY slot)) AS data FROM signing_key WHERE rev = 1'), 'one event')
  await age()
  t.not((await other!.rotate(COMMAND_LINE)).kid, answers[0]!.kid, 'when it signs, the next may come')
})

t.test('on a first start, where every key is young, the first goes on until the new one may sign', async t => {
  const { ring } = await nodes(t, 0)
  const node = ring()
  await node.reload()
  const first = node.signingKey('at', now())
  const { kid, signsFrom } = await node.rotate(COMMAND_LINE)
  t.equal(node.signingKey('at', now()).kid, first.kid)
  t.equal(node.signingKey('at', signsFrom).kid, kid)
})

t.test('a new SIGNING_ALG is in force one rotation later instead of two slots', async t => {
  const { rings: [old], ring } = await nodes(t, 1)
  const next = ring('RS256')
  await next.reload()
  const { kid, alg, signsFrom } = await next.rotate(COMMAND_LINE)
  t.equal(alg, 'RS256')
  await old!.reload()
  t.match(old!.signingKey('at', signsFrom), { kid, alg: 'RS256' }, 'also on a node that would have made another')
  t.equal(old!.signingKey('at', now() + 30 * 86_400).alg, 'RS256')
})

t.test('when the new key is revoked while it waits, the old one goes on', async t => {
  const { rings: [node], url } = await nodes(t, 1)
  const before = node!.signingKey('at', now())
  const { kid, signsFrom } = await node!.rotate(COMMAND_LINE)
  await compromiseKey({ db: open(t, url), clock: systemClock }, kid, COMMAND_LINE)
  await node!.reload()
  t.equal(node!.signingKey('at', signsFrom + 1).kid, before.kid)
})
