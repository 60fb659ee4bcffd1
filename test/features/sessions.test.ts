import { decodeJwt } from 'jose'
import t from 'tap'
import { until } from '../helpers/until.ts'
import { world, type World } from '../helpers/world.ts'

/** As if the last refresh of every session had been that much earlier. */
const letPass = async ({ sql }: World, seconds: number) => { await sql('UPDATE refresh_spent SET spent_at = spent_at - make_interval(secs => $1)', [seconds]) }

const rotate = async ({ refresh }: World, token: string, times: number): Promise<string> => {
  for (let round = 0; round < times; round++) token = (await refresh(token)).json().refresh_token
  return token
}

t.test('reusing a rotated refresh token ends every session of that family, on every node', async t => {
  const { signIn, refresh, verify, anotherNode } = await world(t)
  const other = await anotherNode()
  const first = await signIn()
  const second = (await refresh(first.refresh_token)).json()
  const third = (await refresh(second.refresh_token, other)).json()

  const replayed = await refresh(first.refresh_token, other)
  t.equal(replayed.statusCode, 401)
  t.equal(replayed.json().code, 'session_ended')
  t.equal((await refresh(third.refresh_token)).statusCode, 401, 'the newest token is dead too')
  await t.resolves(until(async () => (await verify(third.access_token)).statusCode === 401), 'and its access token on the other node')
})

t.test('a stolen family does not take another session of the same user with it', async t => {
  const { signIn, signUp, refresh, verify } = await world(t)
  const { email } = await signUp()
  const [stolen, own] = [await signIn(email), await signIn(email)]
  const second = (await refresh(stolen.refresh_token)).json()
  await refresh(second.refresh_token)
  t.equal((await refresh(stolen.refresh_token)).statusCode, 401)
  t.equal((await verify(own.access_token)).statusCode, 200)
  t.equal((await refresh(own.refresh_token)).statusCode, 200)
})

t.test('a response lost and asked for again on another node brings the same successor', async t => {
  const { signIn, refresh, anotherNode } = await world(t)
  const { refresh_token: token } = await signIn()
  const lost = (await refresh(token)).json()
  const again = (await refresh(token, await anotherNode())).json()
  t.equal(again.refresh_token, lost.refresh_token)
  t.strictSame(decodeJwt(again.access_token), decodeJwt(lost.access_token))
})

t.test('tabs that refresh at once with one cookie all get the same cookie, and none clears it', async t => {
  const { signUp, call, anotherNode } = await world(t)
  const other = await anotherNode()
  const { email } = await signUp()
  const signedIn = await call('POST', '/v1/auth/login', { body: { email, password: 'a long enough pass phrase' } })
  const jar = { '__Host-rt': signedIn.cookies[0]!.value }
  const answers = await Promise.all([call, other.call, call, other.call, call, other.call].map(tab => tab('POST', '/v1/auth/refresh', { cookies: jar })))
  t.strictSame(answers.map(answer => answer.statusCode), answers.map(() => 200))
  const cookies = answers.map(answer => answer.cookies[0]!.value)
  t.equal(new Set(cookies).size, 1)
  t.not(cookies[0], jar['__Host-rt'])
})

/** A browser: its tabs present the cookie of that moment, and keep whichever comes last. Another program with its cookie says nothing of where it comes from. */
async function browser ({ signUp, call }: World, headers: Record<string, string> = { 'sec-fetch-site': 'same-origin' }) {
  const { email } = await signUp()
  const cookieOf = (answer: Awaited<ReturnType<World['call']>>) => answer.cookies.find(({ name }) => name === '__Host-rt')!.value
  const first = cookieOf(await call('POST', '/v1/auth/login', { body: { email, password: 'a long enough pass phrase' } }))
  const refresh = async (cookie: string, by = call) => {
    const answer = await by('POST', '/v1/auth/refresh', { headers, cookies: { '__Host-rt': cookie } })
    return { statusCode: answer.statusCode, cookie: answer.statusCode === 200 ? cookieOf(answer) : '' }
  }
  return { first, refresh }
}

t.test('a tab whose request was overtaken by two other tabs gets what they have, from any node, and nobody is signed out', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  const { first, refresh } = await browser(w)
  const second = (await refresh(first)).cookie
  const third = (await refresh(second, other.call)).cookie
  const fourth = (await refresh(third)).cookie
  for (const [overtaken, node] of [[first, other], [second, w], [third, other]] as const) {
    t.strictSame(await refresh(overtaken, node.call), { statusCode: 200, cookie: fourth })
  }
  t.strictSame(await w.sql('SELECT gen, late FROM refresh_spent'), [{ gen: 3, late: 0 }])
  t.equal((await refresh(fourth, other.call)).statusCode, 200)
})

t.test('ten tabs that wake up one shortly after the other never fight, over 40 mornings on two nodes', async t => {
  const w = await world(t)
  const nodes = [w, await w.anotherNode()]
  const { first, refresh } = await browser(w)
  let jar = first
  const refused: number[] = []
  for (let morning = 0; morning < 40; morning++) {
    await Promise.all(Array.from({ length: 10 }, async (_, tab) => {
      await new Promise(resolve => setTimeout(resolve, tab * 3))
      const presented = jar
      await new Promise(resolve => setTimeout(resolve, Math.random() * 25)) // on its way
      const { statusCode, cookie } = await refresh(presented, nodes[tab % 2]!.call)
      if (statusCode === 200) jar = cookie
      else refused.push(statusCode)
    }))
    if (morning % 2 === 0) await letPass(w, 600)
  }
  t.strictSame(refused, [])
})

// It used to count from when the last generation was first spent, though tabs that had kept it came with it later.
t.test('tabs that come with a kept cookie near the end of the grace may overtake each other too', async t => {
  const w = await world(t)
  const { first, refresh } = await browser(w)
  const second = (await refresh(first)).cookie
  await letPass(w, 58)
  t.equal((await refresh(first)).statusCode, 200, 'kept, and within the grace')
  const third = (await refresh(second)).cookie
  t.strictSame(await refresh(first), { statusCode: 200, cookie: third }, 'one that was on its way')
  t.equal((await refresh(third)).statusCode, 200)
})

t.test('a browser that kept an overtaken cookie comes back with it later: that costs a late credit, as the last one would', async t => {
  const w = await world(t)
  const { first, refresh } = await browser(w)
  const second = (await refresh(first)).cookie
  await refresh((await refresh(second)).cookie)
  for (const late of [1, 2, 3]) {
    await letPass(w, 8 * 3600)
    t.equal((await refresh(second)).statusCode, 200, `late for the ${late}. time`)
  }
  await letPass(w, 61)
  t.equal((await refresh(second)).statusCode, 401)
})

t.test('a stolen cookie from before the last burst is reuse, and so is one of a browser that never stops refreshing', async t => {
  const w = await world(t)
  const { first, refresh } = await browser(w)
  const second = (await refresh(first)).cookie
  await letPass(w, 71)
  const third = (await refresh(second)).cookie
  t.equal((await refresh(first)).statusCode, 401, 'the ones after it were spent at their leisure')
  t.equal((await refresh(third)).statusCode, 401)

  const busy = await browser(w)
  let cookie = busy.first
  for (let round = 0; round < 34; round++) cookie = (await busy.refresh(cookie)).cookie
  t.equal((await busy.refresh(busy.first)).statusCode, 401)
})

t.test('a program that is no browser has no tabs: an older cookie from it is reuse at once', async t => {
  const w = await world(t)
  const { first, refresh } = await browser(w, {})
  const second = (await refresh(first)).cookie
  const third = (await refresh(second)).cookie
  t.equal((await refresh(first)).statusCode, 401)
  t.equal((await refresh(third)).statusCode, 401, 'and the session has ended')
  t.ok(w.logLines().some(line => line['event'] === 'refresh.reuse'))
})

t.test('within the grace a spent token brings the same successor again, and costs nothing', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  const { refresh_token: token } = await w.signIn()
  await w.refresh(token)
  await letPass(w, 55)
  const successors = [await w.refresh(token), await w.refresh(token, other)].map(answer => answer.json())
  t.equal(successors[0].refresh_token, successors[1].refresh_token)
  t.ok(successors[0].expires_in <= 600 - 55, 'the successor is as old as the first use')
  t.strictSame(await w.sql('SELECT gen, late FROM refresh_spent'), [{ gen: 1, late: 0 }])
})

t.test('a laptop that slept may come back later than the grace three times; the fourth time counts as theft', async t => {
  const w = await world(t)
  const { refresh_token: token } = await w.signIn()
  await w.refresh(token)
  for (const late of [1, 2, 3]) {
    await letPass(w, 8 * 3600)
    const answer = await w.refresh(token)
    t.equal(answer.statusCode, 200, `late for the ${late}. time`)
    t.equal(decodeJwt(answer.json().access_token)['jti']!.split('.')[1], '2', 'it is the successor, not a branch')
    t.ok(answer.json().expires_in > 590, 'and a fresh one')
  }
  await letPass(w, 61)
  const theft = await w.refresh(token)
  t.equal(theft.statusCode, 401)
  t.equal(theft.json().code, 'session_ended')
  t.ok(w.logLines().some(line => line['event'] === 'refresh.reuse'), 'and leaves a line in the log')
})

t.test('an honest client gets a late credit back every sixteen rotations', async t => {
  const w = await world(t)
  const { refresh_token: token } = await w.signIn()
  await w.refresh(token)
  for (let late = 0; late < 3; late++) { await letPass(w, 61); await w.refresh(token) }
  const sixteenth = await rotate(w, token, 15)
  t.strictSame(await w.sql('SELECT gen, late FROM refresh_spent'), [{ gen: 15, late: 3 }])
  await w.refresh(sixteenth)
  t.strictSame(await w.sql('SELECT gen, late FROM refresh_spent'), [{ gen: 16, late: 2 }])
  await letPass(w, 61)
  t.equal((await w.refresh(sixteenth)).statusCode, 200, 'the one credit')
  await letPass(w, 61)
  t.equal((await w.refresh(sixteenth)).statusCode, 401, 'and no more than one')
})

t.test('emptying the tables of spent tokens and revocations signs nobody out, and theft is seen again afterwards', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  const clients = await Promise.all([0, 1, 2, 7].map(async generations => {
    const first = await w.signIn()
    return { access: first.access_token, old: first.refresh_token, token: await rotate(w, first.refresh_token, generations) }
  }))
  await w.sql('TRUNCATE refresh_spent, revocation')
  for (const client of clients) {
    t.equal((await w.verify(client.access, other)).statusCode, 200)
    const answer = await w.refresh(client.token, other)
    t.equal(answer.statusCode, 200)
    client.token = await rotate(w, answer.json().refresh_token, 2)
  }
  for (const { old, token } of clients) {
    t.equal((await w.refresh(old)).statusCode, 401)
    t.equal((await w.refresh(token)).statusCode, 401)
  }
})

t.test('a database that forgot the last refreshes (a failover) goes on where the client is', async t => {
  const w = await world(t)
  const token = await rotate(w, (await w.signIn()).refresh_token, 6)
  await w.sql('UPDATE refresh_spent SET gen = 2')
  const answer = await w.refresh(token)
  t.equal(answer.statusCode, 200)
  t.strictSame(await w.sql('SELECT gen, late FROM refresh_spent'), [{ gen: 7, late: 0 }])
  t.equal((await w.refresh(answer.json().refresh_token)).statusCode, 200)
})

t.test('every generation of every session has a jti of its own, whichever node issued it', async t => {
  const w = await world(t)
  const nodes = [w, await w.anotherNode()]
  const seen: string[] = []
  await Promise.all(Array.from({ length: 8 }, async () => {
    let tokens = await w.signIn()
    for (let gen = 1; gen <= 25; gen++) {
      seen.push(decodeJwt(tokens.access_token)['jti']!)
      tokens = (await w.refresh(tokens.refresh_token, nodes[gen % 2])).json()
    }
  }))
  t.equal(seen.length, 200)
  t.equal(new Set(seen).size, 200)
})

t.test('what a refresh gives is not more than what was signed in for: roles are read again, the rest stays', async t => {
  const w = await world(t)
  const { id, email } = await w.signUp()
  const first = await w.signIn(email, { scope: 'account admin' })
  t.equal(decodeJwt(first.access_token)['scope'], 'account', 'without the role there is no admin scope')
  await w.sql('UPDATE users SET roles = $2 WHERE id = $1', [id, ['admin', 'editor']])
  const second = (await w.refresh(first.refresh_token)).json()
  t.strictSame(decodeJwt(second.access_token)['roles'], ['admin', 'editor'])
  t.equal(decodeJwt(second.access_token)['scope'], 'account', 'a role gained later does not widen this session')
  const kept = ({ sub, sid, auth_time: authTime, amr, acr, client_id: clientId }: Record<string, unknown>) => ({ sub, sid, authTime, amr, acr, clientId })
  t.strictSame(kept(decodeJwt(second.access_token)), kept(decodeJwt(first.access_token)))

  const admin = await w.signIn(email, { scope: 'account admin' })
  t.equal(decodeJwt(admin.access_token)['scope'], 'account admin')
  t.equal(decodeJwt((await w.signIn(email)).access_token)['scope'], 'account', 'who does not ask does not get it')
  await w.sql('UPDATE users SET roles = $2 WHERE id = $1', [id, ['editor']])
  const demoted = (await w.refresh(admin.refresh_token)).json()
  t.equal(decodeJwt(demoted.access_token)['scope'], 'account', 'the role was taken away')
  t.equal((await w.verify(demoted.access_token)).headers['x-auth-roles'], 'editor')
})

t.test('no access token outlives the absolute end of its session', async t => {
  const { signIn, refresh } = await world(t, { SESSION_MAX_SECONDS: '90', REFRESH_TOKEN_TTL_SECONDS: '60' })
  const first = await signIn()
  const second = (await refresh(first.refresh_token)).json()
  for (const { access_token: token, expires_in: expiresIn } of [first, second]) {
    const { exp, auth_time: signedIn } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())
    t.equal(exp, signedIn + 90)
    t.ok(expiresIn <= 90)
  }
})
