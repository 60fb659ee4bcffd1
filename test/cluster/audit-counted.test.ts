import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { decodeJwt } from 'jose'
import t from 'tap'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { send, startProcess, type Reply } from '../helpers/processes.ts'
import { PASSWORD } from '../helpers/world.ts'

const KILLS = 3
const LIVES_AT_ONCE = 4

t.test('under load, with nodes killed in the middle of it, whatever changed is recorded and whatever is recorded changed, once', async t => {
  const databaseUrl = await freshDatabase(t)
  const sql = await sqlTo(t, databaseUrl)
  const nodes = await Promise.all([startProcess(t, databaseUrl), startProcess(t, databaseUrl)])
  const over = new AbortController()
  const acknowledged = { accounts: 0, sids: [] as string[], refusals: new Map<string, number>() }

  /** As a client does it: to any node, and again elsewhere when no answer came or a node said so. */
  const ask = async (method: string, path: string, options: Parameters<typeof send>[3]): Promise<Reply> => {
    for (let at = Math.floor(Math.random() * 2); ; at++) {
      const answer = await send(nodes[at % 2]!.url, method, path, options).catch(() => null)
      if (answer && answer.status !== 503) return answer
      await sleep(100)
    }
  }
  const signIn = async (email: string, password: string) => {
    const answer = await ask('POST', '/v1/auth/login', { body: { email, password, refresh: 'body' } })
    if (answer.status === 200) acknowledged.sids.push(decodeJwt(answer.json.access_token)['sid'] as string)
    return answer
  }
  async function live (ends: 'stays' | 'leaves' | 'changes'): Promise<void> {
    const [email, guessed] = [`${randomUUID()}@example.com`, `${randomUUID()}@example.com`]
    for (const address of [email, guessed]) {
      await ask('POST', '/v1/auth/register', { body: { email: address, password: PASSWORD } })
      acknowledged.accounts++
    }
    for (let guess = 0; guess < 3; guess++) {
      if ((await signIn(guessed, 'a wrong pass phrase')).status === 401) acknowledged.refusals.set(guessed, (acknowledged.refusals.get(guessed) ?? 0) + 1)
    }
    const { access_token: bearer } = (await signIn(email, PASSWORD)).json
    const { refresh_token: second } = (await signIn(email, PASSWORD)).json
    for (const n of [1, 2, 3]) await ask('PATCH', '/v1/me', { bearer, body: { profile: { n } } })
    await ask('POST', '/v1/auth/logout', { body: { refresh_token: second } })
    if (ends === 'leaves') await ask('POST', '/v1/me/delete', { bearer, body: { password: PASSWORD } })
    else if (ends === 'changes') await ask('POST', '/v1/me/password', { bearer, body: { current_password: PASSWORD, new_password: `${PASSWORD}!` } })
    else await ask('POST', '/v1/auth/logout-all', { bearer })
  }
  const lives = Array.from({ length: LIVES_AT_ONCE }, async () => { for (let n = 0; !over.signal.aborted; n++) await live((['stays', 'leaves', 'changes'] as const)[n % 3]!) })
  for (let kill = 0; kill < KILLS; kill++) {
    await sleep(1_500)
    await nodes[kill % 2]!.stop('SIGKILL')
    nodes[kill % 2] = await startProcess(t, databaseUrl)
  }
  over.abort()
  await Promise.all(lives)

  const [counted] = await sql<Record<string, number>>(`
    WITH e AS (SELECT user_id, count(*) FILTER (WHERE type = 'account.created') AS created, count(*) FILTER (WHERE type = 'account.deleted') AS deleted,
        count(*) FILTER (WHERE type IN ('sessions.ended', 'password.changed')) AS epochs, count(*) FILTER (WHERE type = 'profile.changed') AS profiles,
        count(*) FILTER (WHERE type = 'session.refused') AS refused, bool_or(type = 'session.started') AS signed_in
      FROM audit_event GROUP BY user_id)
    SELECT (SELECT count(*)::int FROM e) AS accounts, (SELECT count(*)::int FROM e WHERE deleted = 1) AS deleted, (SELECT sum(epochs)::int FROM e) AS epochs, (SELECT sum(profiles)::int FROM e) AS profiles,
      (SELECT sum(refused)::int FROM e) AS refused, (SELECT count(*)::int FROM audit_event WHERE type = 'session.ended') AS ended,
      (SELECT count(*)::int FROM e FULL JOIN users u ON u.id = e.user_id
        WHERE e.created IS DISTINCT FROM 1 OR e.deleted <> (u.id IS NULL)::int OR e.epochs <> coalesce(u.epoch - 1, e.epochs)
          OR e.profiles <> coalesce((u.profile->>'n')::int, CASE WHEN u.id IS NULL THEN e.profiles ELSE 0 END)) AS "otherAccounts",
      (SELECT count(*)::int FROM e JOIN credential c USING (user_id) WHERE e.refused <> c.fail_unknown AND NOT e.signed_in) AS "otherFailures",
      (SELECT count(*)::int FROM (SELECT sid FROM audit_event WHERE type = 'session.ended') a FULL JOIN (SELECT sid FROM refresh_spent WHERE gen = 2147483647) w USING (sid) WHERE a.sid IS NULL OR w.sid IS NULL) AS "otherEndings",
      (SELECT count(*)::int - count(DISTINCT sid)::int FROM audit_event WHERE type = 'session.ended') AS "endedTwice"`)
  t.match(counted, { otherAccounts: 0, otherFailures: 0, otherEndings: 0, endedTwice: 0 }, JSON.stringify(counted))
  for (const what of ['accounts', 'deleted', 'epochs', 'profiles', 'refused', 'ended']) t.ok(counted![what]! > 0, what)
  t.ok(counted!['accounts']! >= acknowledged.accounts)
  const started = await sql<{ sid: string }>("SELECT sid FROM audit_event WHERE type = 'session.started' AND sid = ANY($1)", [acknowledged.sids])
  t.strictSame(started.map(({ sid }) => sid).sort(), acknowledged.sids.toSorted(), `${acknowledged.sids.length} sign-ins that were answered`)
  const refused = new Map((await sql<{ email: string, n: number }>("SELECT email, count(*)::int AS n FROM audit_event a JOIN users u ON u.id = a.user_id WHERE type = 'session.refused' GROUP BY email")).map(({ email, n }) => [email, n]))
  t.strictSame([...acknowledged.refusals].filter(([email, n]) => (refused.get(email) ?? 0) < n), [], 'and every refusal')
})
