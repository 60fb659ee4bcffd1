import { decodeProtectedHeader } from 'jose'
import type { Test } from 'tap'
import { until } from '../../helpers/until.ts'
import { claimsOf, passed, refused, type Protected } from './scene.ts'

/** Ended means ended, here too. */
export async function learnsOfEndings (t: Test, p: Protected): Promise<void> {
  const { ask, signIn, operator, upstream, refresh } = p
  // Ended on one node, asked of the other: what the first knows at once, the second reads from the feed.
  const { call } = await p.anotherNode()
  const good = async (token: string): Promise<boolean> => { const { status } = await ask('/private', { bearer: token }); upstream.arrivals(); return status === 200 }
  const took: number[] = []
  const ends = async (t: Test, token: string, end: () => Promise<unknown>) => {
    t.equal(await good(token), true, 'before')
    await end()
    const began = performance.now()
    await until(async () => !await good(token), 5_000)
    took.push(performance.now() - began)
    refused(t, p, await ask('/private', { bearer: token }), 'after')
  }

  await t.test('a session, a user’s sessions and a closed account are refused within two seconds of their end', async t => {
    const [session, everywhere, closed] = [await signIn(), await signIn(), await signIn()]
    await ends(t, session.access_token, async () => await call('POST', '/v1/auth/logout', { body: { refresh_token: session.refresh_token } }))
    await ends(t, everywhere.access_token, async () => await call('POST', '/v1/auth/logout-all', { bearer: everywhere.access_token }))
    t.equal(await good((await signIn(everywhere.user.email)).access_token), true, 'a new sign-in is a new session')
    await ends(t, closed.access_token, async () => await operator('users', 'disable', '--email', closed.user.email))
    passed(t, p, await ask('/private', { bearer: p.mine.access_token }), claimsOf(p), 'a bystander')
  })

  await t.test('twenty sign-outs in a row, to know how long it takes', async t => {
    for (let round = 0; round < 20; round++) {
      const session = await signIn()
      await ends(t, session.access_token, async () => await call('POST', '/v1/auth/logout', { body: { refresh_token: session.refresh_token } }))
    }
    took.sort((one, other) => one - other)
    t.comment(`from the answer to the sign-out until the gateway refused: p50 ${Math.round(took[Math.floor(took.length / 2)]!)} ms, max ${Math.round(took.at(-1)!)} ms, n ${took.length}`)
    t.ok(took[Math.floor(took.length / 2)]! < 2_000)
  })

  await t.test('what a leaked key signed is refused within two seconds, and what signs next passes', async t => {
    const session = await signIn()
    await ends(t, session.access_token, async () => await operator('keys', 'revoke', decodeProtectedHeader(session.access_token).kid!))
    await until(async () => {
      const answer = await refresh(session.refresh_token)
      return answer.statusCode === 200 && await good(answer.json().access_token)
    }, 5_000)
  })

  await t.test('the breach button is heard within two seconds', async t => {
    const { access_token: token } = await signIn()
    await until(() => Date.now() % 1000 > 100) // tokens of this very second count as issued before it
    await ends(t, token, async () => await operator('sessions', 'revoke-all'))
    await until(async () => await good((await signIn()).access_token), 5_000)
  })
}
