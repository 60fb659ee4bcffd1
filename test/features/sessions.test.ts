import { decodeJwt } from 'jose'
import t from 'tap'
import { world } from '../helpers/world.ts'

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

t.test('a response lost and asked for again on another node brings the same successor', async t => {
  const { signIn, refresh, anotherNode } = await world(t)
  const { refresh_token: token } = await signIn()
  const lost = (await refresh(token)).json()
  const again = (await refresh(token, await anotherNode())).json()
  t.equal(again.refresh_token, lost.refresh_token)
  t.strictSame(decodeJwt(again.access_token), decodeJwt(lost.access_token))
})

async function until (condition: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 2_000; waited += 25) {
    if (await condition()) return
    await new Promise(resolve => setTimeout(resolve, 25))
  }
  throw new Error('it did not happen within two seconds')
}
