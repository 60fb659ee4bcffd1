import { decodeProtectedHeader } from 'jose'
import t from 'tap'
import { world } from '../helpers/world.ts'

// What is checked once in a token's life must not hide what can change in it.

t.test('a token that was verified before is refused once it has expired, and when the clock is set back to before it was issued', async t => {
  const w = await world(t)
  const { access_token: token, expires_in: seconds } = await w.signIn()
  for (const attempt of [1, 2, 3]) t.equal((await w.verify(token)).statusCode, 200, `attempt ${attempt}`)
  w.clock.advance(seconds + 59)
  t.equal((await w.verify(token)).statusCode, 200, 'within the leeway')
  w.clock.advance(2)
  for (const attempt of [1, 2]) t.equal((await w.verify(token)).statusCode, 401, `attempt ${attempt}`)
  w.clock.advance(-seconds - 200)
  t.equal((await w.verify(token)).statusCode, 401)
  w.clock.advance(139)
  t.equal((await w.verify(token)).statusCode, 200, 'and the control: in its time it is good')
})

t.test('every kind of ending is heard of by a node that has verified the token before', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  const ways: Record<string, (tokens: { access_token: string, refresh_token: string }) => Promise<unknown>> = {
    'its session was ended': async ({ refresh_token: token }) => await w.call('POST', '/v1/auth/logout', { body: { refresh_token: token } }),
    'all sessions of its user were': async ({ access_token: token }) => await w.call('POST', '/v1/auth/logout-all', { bearer: token }),
    'it was revoked itself': async ({ access_token: token }) => await w.call('POST', '/v1/auth/logout', { bearer: token }),
  }
  for (const [what, end] of Object.entries(ways)) {
    const [tokens, bystander] = [await w.signIn(), await w.signIn()]
    for (const token of [tokens, bystander]) for (const node of [w, other]) t.equal((await w.verify(token.access_token, node)).statusCode, 200)
    await end(tokens)
    t.equal((await w.verify(tokens.access_token)).statusCode, 401, `${what}: at the node that was told, at once`)
    await other.ctx.revocations.poll()
    t.equal((await w.verify(tokens.access_token, other)).statusCode, 401, `${what}: at another, once it has read the feed`)
    t.equal((await w.verify(bystander.access_token, other)).statusCode, 200, `${what}: another user's is untouched`)
  }
})

t.test('a token that was verified before is refused once its key was revoked', async t => {
  const w = await world(t)
  const { access_token: token } = await w.signIn()
  t.equal((await w.verify(token)).statusCode, 200)
  await w.sql('UPDATE signing_key SET compromised_at = now() WHERE kid = $1', [decodeProtectedHeader(token).kid])
  await w.ctx.keyring.reload()
  t.equal((await w.verify(token)).statusCode, 401)
})

t.test('the first answer, which is not kept, says what later ones do', async t => {
  const w = await world(t)
  const { access_token: token } = await w.signIn()
  const said = ({ headers, body }: { headers: object, body: string }) => ({ headers: { ...headers, 'x-request-id': '', date: '' }, body })
  const [first, second, third] = [said(await w.verify(token)), said(await w.verify(token)), said(await w.verify(token))]
  t.match(first.headers, { 'x-auth-subject': /./, 'content-type': 'application/json; charset=utf-8' })
  t.strictSame(second, first)
  t.strictSame(third, first)
})

t.test('one user is never answered with the claims of another', async t => {
  const w = await world(t)
  const tokens = [await w.signIn(), await w.signIn(), await w.signIn()]
  for (let round = 0; round < 3; round++) {
    for (const { access_token: token, user } of tokens) {
      const answer = await w.verify(token)
      t.equal(answer.headers['x-auth-subject'], user.id)
      t.equal(answer.json().sub, user.id)
    }
  }
})
