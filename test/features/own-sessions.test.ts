import { randomUUID } from 'node:crypto'
import { decodeJwt } from 'jose'
import t from 'tap'
import { recordEvent } from '../../src/core/audit/store.ts'
import { COMMAND_LINE } from '../../src/core/audit/events.ts'
import { compromiseKey, revokeEverything } from '../../src/core/keys/store.ts'
import { endSessionsOf } from '../../src/core/users/store.ts'
import { startProcess, SHARED_KEK } from '../helpers/processes.ts'
import { until } from '../helpers/until.ts'
import { world, type Tokens, type World } from '../helpers/world.ts'

type Shown = { sid: string, started_at: string, expires_at: string, address_prefix: string | null, user_agent: string | null, current: boolean }

/** Signs in from a device, whose row is in the trail as the sign-in writes it. */
async function device ({ ctx, signIn, sql }: World, email: string, userAgent = 'phone'): Promise<Tokens & { sid: string }> {
  const tokens = await signIn(email)
  const { sid, sub, ver, exp } = decodeJwt(tokens.access_token) as { sid: string, sub: string, ver: number, exp: number }
  const [known] = await sql('SELECT 1 FROM audit_event WHERE sid = $1 AND type = \'session.started\'', [sid])
  if (!known) {
    await recordEvent(ctx, {
      type: 'session.started', actor: `user:${sub}`, userId: sub, sid, source: { addressPrefix: '192.0.2.0/24', userAgent }, data: { ver, amr: ['pwd'], remember: true, sexp: exp + 86_400 * 89 },
    })
  }
  return { ...tokens, sid }
}

const list = async ({ call }: Pick<World, 'call'>, bearer: string, query = ''): Promise<{ items: Shown[], next: string | null }> => (await call('GET', `/v1/me/sessions${query}`, { bearer })).json()
const sids = async (node: Pick<World, 'call'>, bearer: string) => (await list(node, bearer)).items.map(({ sid }) => sid)
const end = async ({ call }: Pick<World, 'call'>, bearer: string, sid: string) => (await call('DELETE', `/v1/me/sessions/${sid}`, { bearer })).statusCode
const endings = async ({ sql }: World, sid: string) => (await sql('SELECT actor, type FROM audit_event WHERE sid = $1 AND type = \'session.ended\'', [sid]))

t.test('a user sees the devices they signed in from, newest first, and ends one that is not theirs any more', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  const { email } = await w.signUp()
  await device(w, (await w.signUp()).email)
  const lost = await device(w, email, 'lost phone')
  const here = await device(w, email, 'laptop')
  const { items, next } = await list(w, here.access_token)
  t.equal(next, null)
  t.strictSame(items.map(({ sid, current }) => ({ sid, current })), [{ sid: here.sid, current: true }, { sid: lost.sid, current: false }])
  const lasts = (Date.parse(items[0]!.expires_at) - Date.parse(items[0]!.started_at)) / 86_400_000
  t.ok(lasts > 88 && lasts < 91, `${lasts} days`)
  t.ok('address_prefix' in items[0]! && 'user_agent' in items[0]!)

  t.equal(await end(w, here.access_token, lost.sid), 204)
  t.equal(await end(other, here.access_token, lost.sid), 204, 'a repetition, elsewhere')
  t.equal((await w.refresh(lost.refresh_token)).json().code, 'session_ended')
  t.equal((await w.verify(lost.access_token)).statusCode, 401, 'at once where it was ended')
  await t.resolves(until(async () => (await w.verify(lost.access_token, other)).statusCode === 401), 'and within a second elsewhere')
  t.strictSame(await sids(other, here.access_token), [here.sid])
  t.strictSame(await endings(w, lost.sid), [{ actor: `user:${decodeJwt(here.access_token).sub}`, type: 'session.ended' }], 'recorded once')
  t.equal((await w.refresh(here.refresh_token)).statusCode, 200, 'this one goes on')
})

t.test('nobody ends a session of somebody else, or learns whether there is one', async t => {
  const w = await world(t)
  const victim = await device(w, (await w.signUp()).email)
  const thief = await device(w, (await w.signUp()).email)
  const answers = await Promise.all([victim.sid, randomUUID(), 'x', victim.sid.toUpperCase(), `${victim.sid}%00`, '__proto__', '%27%20OR%201=1', victim.user.id].map(async sid => {
    const { request_id: _, ...body } = (await w.call('DELETE', `/v1/me/sessions/${sid}`, { bearer: thief.access_token })).json()
    return JSON.stringify(body)
  }))
  t.equal(new Set(answers).size, 1)
  t.match(JSON.parse(answers[0]!), { status: 404, code: 'not_found' })
  t.strictSame(await sids(w, thief.access_token), [thief.sid])
  t.equal((await w.refresh(victim.refresh_token)).statusCode, 200)
  t.strictSame(await w.sql('SELECT 1 FROM revocation'), [])
})

t.test('what ended by another road is not shown: logout, reuse, everything of a user, a key, everything', async t => {
  const w = await world(t)
  const { id, email } = await w.signUp()
  const [out, stolen, kept] = [await device(w, email), await device(w, email), await device(w, email)]
  await w.call('POST', '/v1/auth/logout', { body: { refresh_token: out.refresh_token } })
  t.strictSame((await sids(w, kept.access_token)).sort(), [stolen.sid, kept.sid].sort())
  await w.refresh((await w.refresh(stolen.refresh_token)).json().refresh_token)
  await w.refresh(stolen.refresh_token)
  t.strictSame(await sids(w, kept.access_token), [kept.sid])

  const everywhere = await w.call('POST', '/v1/auth/logout-all', { bearer: kept.access_token })
  t.equal(everywhere.statusCode, 204)
  const fresh = await device(w, email)
  t.strictSame(await sids(w, fresh.access_token), [fresh.sid])
  await endSessionsOf(w.ctx, id, COMMAND_LINE)
  const again = await device(w, email)
  t.strictSame(await sids(w, again.access_token), [again.sid])

  // Ten seconds of doubt lie around the making of a key.
  await w.sql('UPDATE audit_event SET at = at - interval \'1 hour\'')
  await w.sql('UPDATE signing_key SET created_at = created_at - interval \'1 day\'')
  t.strictSame(await sids(w, again.access_token), [again.sid], 'the key that signed it is as old')
  await revokeEverything(w.ctx, COMMAND_LINE)
  await w.ctx.keyring.reread()
  await new Promise(resolve => setTimeout(resolve, 1_100))
  const after = await device(w, email)
  t.strictSame(await sids(w, after.access_token), [after.sid])
  const [{ kid }] = await w.sql<{ kid: string }>('SELECT kid FROM signing_key WHERE use = \'at\' ORDER BY slot LIMIT 1') as [{ kid: string }]
  await compromiseKey(w.ctx, kid, COMMAND_LINE)
  await w.ctx.keyring.reread()
  t.strictSame(await sids(w, (await w.refresh(after.refresh_token)).json().access_token), [after.sid], 'a key of access tokens ends no session')
})

t.test('a session past its absolute end is not shown', async t => {
  const w = await world(t)
  const { email } = await w.signUp()
  const [old, now] = [await device(w, email), await device(w, email)]
  await w.sql('UPDATE audit_event SET data = data || \'{"sexp":1}\' WHERE sid = $1', [old.sid])
  t.strictSame(await sids(w, now.access_token), [now.sid])
})

t.test('many devices come in pages, each once', async t => {
  const w = await world(t)
  const { id, email } = await w.signUp()
  const here = await device(w, email)
  await w.sql(`INSERT INTO audit_event (id, type, outcome, actor, user_id, sid, data)
    SELECT a.id, 'session.started', 'success', a.actor, a.user_id, gen_random_uuid(), a.data FROM (SELECT gen_random_uuid() AS id, actor, user_id, data FROM audit_event, generate_series(1, 130) WHERE sid = $1 AND type = 'session.started') a`, [here.sid])
  const seen: string[] = []
  let [pages, cursor]: [number, string | null] = [0, null]
  do {
    const page: { items: Shown[], next: string | null } = await list(w, here.access_token, `?limit=40${cursor === null ? '' : `&cursor=${cursor}`}`)
    seen.push(...page.items.map(({ sid }) => sid))
    cursor = page.next
    pages++
  } while (cursor !== null && pages < 10)
  t.strictSame([pages, seen.length, new Set(seen).size], [4, 131, 131])
  const { next } = await list(w, here.access_token) as unknown as { next: string }
  const stranger = await w.signIn()
  t.equal((await w.call('GET', `/v1/me/sessions?cursor=${next}`, { bearer: stranger.access_token })).json().code, 'invalid_cursor', 'a cursor is of one user')
  t.equal((await list(w, here.access_token)).items.length, 50)
  for (const query of ['?limit=0', '?limit=101', '?limit=-1', '?limit=1e1', '?limit=', '?limit=5&limit=5', '?offset=1']) t.equal((await w.call('GET', `/v1/me/sessions${query}`, { bearer: here.access_token })).json().code, 'invalid_request', query)
  for (const cursor of ['x', '%00', '1', `${id}x`]) t.equal((await w.call('GET', `/v1/me/sessions?cursor=${cursor}`, { bearer: here.access_token })).json().code, 'invalid_cursor', cursor)
})

t.test('of ten endings of one session at once on two nodes all succeed and one is recorded', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  const { email } = await w.signUp()
  const here = await device(w, email)
  for (let round = 0; round < 5; round++) {
    const { sid } = await device(w, email)
    const answers = await Promise.all(Array.from({ length: 10 }, async (_, at) => await end(at % 2 ? w : other, here.access_token, sid)))
    t.strictSame(answers, answers.map(() => 204))
    t.equal((await endings(w, sid)).length, 1)
    t.equal((await w.sql('SELECT 1 FROM revocation WHERE kind = \'s\'')).length, round + 1)
  }
})

t.test('a node that dies before it answers has ended the session and recorded it', async t => {
  const w = await world(t, { KEY_ENCRYPTION_KEY: SHARED_KEK, PUBLIC_URL: 'http://localhost:3000' })
  const { email } = await w.signUp()
  const [lost, here] = [await device(w, email), await device(w, email)]
  const path = `/v1/me/sessions/${lost.sid}`
  const dying = await startProcess(t, w.databaseUrl, { env: { TEST_DIES_ANSWERING: `DELETE ${path}` }, preload: new URL('../helpers/die-before-answer.ts', import.meta.url).href })
  await t.rejects(fetch(`${dying.url}${path}`, { method: 'DELETE', headers: { authorization: `Bearer ${here.access_token}` } }))
  t.equal((await w.refresh(lost.refresh_token)).statusCode, 401)
  t.equal(await end(w, here.access_token, lost.sid), 204, 'asking again elsewhere is the same success')
  t.equal((await endings(w, lost.sid)).length, 1)
})
