import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { linksOf, mailsOf } from '../helpers/links.ts'
import { until } from '../helpers/until.ts'
import { PASSWORD, world, type Node } from '../helpers/world.ts'

const NEW = 'the pass phrase of tomorrow'
const AT_ONCE = 50
const ROUNDS = 5

/** Each from an address of its own, because one may have eight hashes in the queue; a node that is busy, or whose database is, is asked again. */
async function use (node: Node, at: number, url: string, body: object): Promise<string> {
  for (;;) {
    const answer = await node.call('POST', url, { body, remoteAddress: `192.0.2.${at}` })
    if (answer.statusCode === 204) return '204'
    const { code } = answer.json() as { code: string }
    if (answer.statusCode !== 503) return code
    await sleep(100)
  }
}

async function race (t: Test, nodes: Node[], url: string, bodyOf: (at: number) => object, { atOnce = AT_ONCE } = {}): Promise<number> {
  const answers = await Promise.all(Array.from({ length: atOnce }, (_, at) => use(nodes[at % nodes.length]!, at, url, bodyOf(at))))
  t.strictSame(answers.toSorted(), ['204', ...Array(atOnce - 1).fill('token_used')])
  return answers.indexOf('204')
}

t.test('a reset link used three times at once: one works, the others hear that it was used, and old sessions end within a second on both nodes', async t => {
  const w = await world(t)
  const nodes = [w, await w.anotherNode()]
  const { id, email } = await w.signUp()
  const sessions = [await w.signIn(email), await w.signIn(email)]
  const { reset: token } = await linksOf(w, id)
  await race(t, nodes, '/v1/password-reset/confirm', () => ({ token, new_password: NEW }), { atOnce: 3 })
  for (const node of nodes) {
    for (const { access_token: access, refresh_token: refresh } of sessions) {
      await t.resolves(until(async () => (await w.verify(access, node)).statusCode === 401, 1_000))
      t.equal((await w.refresh(refresh, node)).statusCode, 401)
    }
  }
})

t.test('fifty uses of one reset link at once over two nodes: exactly one sets its password', async t => {
  const w = await world(t)
  const nodes = [w, await w.anotherNode()]
  for (let round = 0; round < ROUNDS; round++) {
    const { id, email } = await w.signUp()
    const { reset: token } = await linksOf(w, id)
    const winner = await race(t, nodes, '/v1/password-reset/confirm', at => ({ token, new_password: `${NEW} ${at}` }))
    const signIn = async (password: string) => (await w.call('POST', '/v1/auth/login', { body: { email, password } })).statusCode
    t.strictSame([await signIn(`${NEW} ${winner}`), await signIn(`${NEW} ${winner === 0 ? 1 : 0}`), await signIn(PASSWORD)], [200, 401, 401], 'the winner\'s')
  }
  t.strictSame(await w.sql("SELECT count(*)::int AS resets FROM audit_event WHERE type = 'password.reset'"), [{ resets: ROUNDS }])
  t.equal((await mailsOf(w)).filter(({ kind }) => kind === 'password_changed').length, ROUNDS)
  t.strictSame(await w.sql('SELECT DISTINCT epoch FROM users'), [{ epoch: 2 }])
})

t.test('fifty uses of one link to change the address at once over two nodes: exactly one changes it', async t => {
  const w = await world(t)
  const nodes = [w, await w.anotherNode()]
  for (let round = 0; round < ROUNDS; round++) {
    const { id } = await w.signUp()
    const { emailChange: token } = await linksOf(w, id, { to: `round${round}@mail.test` })
    await race(t, nodes, '/v1/email-change/confirm', () => ({ token }))
  }
  t.strictSame(await w.sql("SELECT count(*)::int AS changes FROM audit_event WHERE type = 'email.changed'"), [{ changes: ROUNDS }])
  t.equal((await mailsOf(w)).filter(({ kind }) => kind === 'email_changed').length, ROUNDS)
})

t.test('a reset and a change of the password at once, on two nodes: one of them happens, wholly', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  for (let round = 0; round < ROUNDS; round++) {
    const { id, email } = await w.signUp()
    const { access_token: bearer } = await w.signIn(email)
    const { reset: token } = await linksOf(w, id)
    const [reset, change] = await Promise.all([
      w.call('POST', '/v1/password-reset/confirm', { body: { token, new_password: `${NEW} 0` } }),
      other.call('POST', '/v1/me/password', { bearer, body: { current_password: PASSWORD, new_password: `${NEW} 1` } }),
    ])
    t.equal([reset.statusCode < 300, change.statusCode < 300].filter(Boolean).length, 1, `${reset.statusCode} and ${change.statusCode}`)
    const signIns = await Promise.all([PASSWORD, `${NEW} 0`, `${NEW} 1`].map(async password => (await w.call('POST', '/v1/auth/login', { body: { email, password } })).statusCode))
    t.strictSame(signIns, [401, reset.statusCode < 300 ? 200 : 401, change.statusCode < 300 ? 200 : 401])
    t.strictSame(await w.sql('SELECT epoch FROM users WHERE id = $1', [id]), [{ epoch: 2 }])
  }
})
