import { decodeProtectedHeader } from 'jose'
import t from 'tap'
import { run } from '../../src/cli/run.ts'
import { revocationId } from '../../src/lib/digest.ts'
import { newClient, post, tokenOf } from '../helpers/oauth.ts'
import { until } from '../helpers/until.ts'
import { elsewhere, type Elsewhere } from '../helpers/verifier.ts'

const operator = ({ databaseUrl }: Elsewhere) => async (...args: string[]): Promise<number> =>
  await run(args, { DATABASE_URL: databaseUrl, KEY_ENCRYPTION_KEY: `k:${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')}`, LOG_LEVEL: 'silent' })

t.test('another service refuses within two seconds what was ended here: a session, a user’s sessions, a closed account', async t => {
  const w = await elsewhere(t)
  const bystander = (await w.signIn()).access_token
  const [session, everywhere, closed] = [await w.signIn(), await w.signIn(), await w.signIn()]
  for (const { access_token: token } of [session, everywhere, closed]) t.equal(await w.ask(token), 'good')

  await w.call('POST', '/v1/auth/logout', { body: { refresh_token: session.refresh_token } })
  await until(async () => await w.ask(session.access_token) === 'revoked')

  await w.call('POST', '/v1/auth/logout-all', { bearer: everywhere.access_token })
  await until(async () => await w.ask(everywhere.access_token) === 'revoked')
  t.equal(await w.ask((await w.signIn(everywhere.user.email)).access_token), 'good', 'a new sign-in is a new session')

  t.equal(await operator(w)('users', 'disable', '--email', closed.user.email), 0)
  await until(async () => await w.ask(closed.access_token) === 'revoked')
  t.equal(await w.ask(bystander), 'good')
})

t.test('a leaked key is refused elsewhere within two seconds, and what signs next needs no new keys', async t => {
  const w = await elsewhere(t)
  const session = await w.signIn()
  t.equal(await w.ask(session.access_token), 'good')
  t.equal(await operator(w)('keys', 'revoke', decodeProtectedHeader(session.access_token).kid!), 0)
  await until(async () => await w.ask(session.access_token) === 'revoked')
  await until(async () => {
    const answer = await w.refresh(session.refresh_token)
    return answer.statusCode === 200 && await w.ask(answer.json().access_token) === 'good'
  })
  t.equal(w.balancer.count('/.well-known/jwks.json'), 1)
  t.equal(await w.ask(session.access_token, {}, w.anotherVerifier()), 'unknown_key', 'who comes later does not even see the key')
})

t.test('the breach button reaches another service within two seconds', async t => {
  const w = await elsewhere(t)
  const token = (await w.signIn()).access_token
  t.equal(await w.ask(token), 'good')
  await until(() => Date.now() % 1000 > 100) // tokens of this very second count as issued before it
  t.equal(await operator(w)('sessions', 'revoke-all'), 0)
  await until(async () => await w.ask(token) === 'revoked')
  await until(async () => await w.ask((await w.signIn()).access_token) === 'good')
})

t.test('a service that starts after the ending refuses with its very first verification, also when the feed is slower than the keys', async t => {
  const w = await elsewhere(t)
  const fetch = async (url: string, init: RequestInit) => {
    if (url.includes('/v1/revocations')) await new Promise(resolve => setTimeout(resolve, 400))
    return await globalThis.fetch(url, init)
  }
  const { access_token: token, refresh_token: refreshToken } = await w.signIn()
  await w.call('POST', '/v1/auth/logout', { body: { refresh_token: refreshToken } })
  await w.ctx.revocations.poll()
  t.equal(await w.ask(token), 'revoked')
  t.equal(await w.ask(token, {}, w.anotherVerifier({ fetch })), 'revoked')
})

t.test('another service refuses within two seconds what a service lost: one token, or all with its client', async t => {
  const w = await elsewhere(t)
  const [client, bystander] = [await newClient(w), await newClient(w)]
  const [ended, kept, other] = [await tokenOf(w, client), await tokenOf(w, client), await tokenOf(w, bystander)]
  for (const token of [ended, kept, other]) t.equal(await w.ask(token), 'good')
  const { sid, roles, ver, sub } = await w.verifier.verify(kept)
  t.strictSame({ sid, roles, ver, sub }, { sid: undefined, roles: undefined, ver: 0, sub: client.id })

  await post(w, '/oauth2/revoke', { token: ended })
  await t.resolves(until(async () => await w.ask(ended) === 'revoked'))
  t.equal(await w.ask(kept), 'good', 'its other tokens live')
  t.equal(await operator(w)('clients', 'delete', client.id), 0)
  await t.resolves(until(async () => await w.ask(kept) === 'revoked'))
  t.equal(await w.ask(other), 'good')
})

t.test('each kind of ending alone and each pair of them refuses, and its near misses do not', async t => {
  const w = await elsewhere(t)
  const { access_token: token } = await w.signIn()
  const { sid = '', sub, jti, ver, iat } = await w.verifier.verify(token)
  const { kid } = decodeProtectedHeader(token) as { kid: string }
  type Kind = 's' | 'u' | 'j' | 'k' | 'a'
  const kinds: Record<Kind, [value: string, val: number]> = { s: [sid, 0], u: [sub, ver + 1], j: [jti, 0], k: [kid, 0], a: ['', iat + 1] }
  const end = async (kind: Kind, value: string, val: number) =>
    await w.sql("INSERT INTO revocation (kind, id, val, expires_at) VALUES ($1, $2, $3, now() + interval '10 min')", [kind, revocationId(kind, value), val])
  const outcome = async (): Promise<string> => {
    await w.sql("INSERT INTO revocation (kind, id, expires_at) VALUES ('s', $1, now() + interval '10 min')", [revocationId('s', 'anything')])
    const rows = (await w.sql<{ xid: string }>('SELECT xid::text FROM revocation')).map(row => row.xid).sort().join()
    await until(async () => { // a poll that comes between makes the node put the comparison off
      await w.ctx.revocations.reconcile()
      await w.ctx.revocations.poll()
      return w.ctx.revocations.state.log.all().map(entry => String(entry.xid)).sort().join() === rows
    })
    return await w.ask(token, {}, w.anotherVerifier())
  }
  const again = async () => await w.sql('TRUNCATE revocation')

  const names = Object.keys(kinds) as Kind[]
  for (const [at, kind] of names.entries()) {
    for (const other of [kind, ...names.slice(at + 1)]) {
      await again()
      for (const name of new Set([kind, other])) await end(name, ...kinds[name])
      t.equal(await outcome(), 'revoked', kind === other ? kind : `${kind} and ${other}`)
    }
  }
  const misses: [Kind, string, number][] = [
    ['s', sub, 0], ['u', sid, 99], ['u', sub, ver], ['j', sid, 0], ['k', `${kid}x`, 0], ['a', '', iat], ['a', 'x', iat + 99], ['s', kid, 0],
  ]
  for (const miss of misses) {
    await again()
    await end(...miss)
    t.equal(await outcome(), 'good', miss.join(' '))
  }
  await again()
  await end('u', sub, ver + 1)
  await end('u', sub, ver)
  t.equal(await outcome(), 'revoked', 'of two endings of a user the higher epoch counts')
})
