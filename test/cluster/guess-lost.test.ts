import { randomUUID } from 'node:crypto'
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { send, startProcess, type NodeProcess } from '../helpers/processes.ts'
import { PASSWORD } from '../helpers/world.ts'

const database = await freshDatabase(t)
const sql = await sqlTo(t, database)
const survivor = await startProcess(t, database)
const credentials = { email: `${randomUUID()}@example.com`, password: PASSWORD }
const { json: { user } } = await send(survivor.url, 'POST', '/v1/auth/register', { body: credentials })

/** It writes the result, and dies before a byte of the answer is out. */
async function lose (t: Test, body: object): Promise<void> {
  const node: NodeProcess = await startProcess(t, database, { preload: new URL('../helpers/die-before-answer.ts', import.meta.url).href, env: { TEST_DIES_ANSWERING: 'POST /v1/auth/login' } })
  await t.rejects(send(node.url, 'POST', '/v1/auth/login', { body }), 'no answer came')
  await node.stop()
  t.equal(node.child.signalCode, 'SIGKILL', 'because the node died')
}
const events = async () => await sql<{ type: string, sid: string | null }>('SELECT type, sid FROM audit_event WHERE user_id = $1 AND type LIKE \'session.%\' ORDER BY id', [user.id])

t.test('a wrong guess counts though the node dies before it answers', async t => {
  await lose(t, { ...credentials, password: 'a wrong pass phrase' })
  t.strictSame(await sql('SELECT fail_unknown, fail_known FROM credential'), [{ fail_unknown: 1, fail_known: 0 }])
  t.strictSame(await events(), [{ type: 'session.refused', sid: null }])
})

t.test('a sign-in whose answer was lost is a session nobody holds; the next try is another one, and both are in the trail', async t => {
  await lose(t, credentials)
  const again = await send(survivor.url, 'POST', '/v1/auth/login', { body: credentials })
  t.equal(again.status, 200)
  const started = (await events()).filter(({ type }) => type === 'session.started')
  t.equal(started.length, 2)
  t.equal(started[1]!.sid, decodeJwt(again.json.access_token)['sid'])
  t.strictSame(await sql('SELECT fail_unknown, fail_known FROM credential'), [{ fail_unknown: 0, fail_known: 0 }])
})

t.test('one request sent twice at once to two nodes signs in twice, and loses nothing', async t => {
  const other = await startProcess(t, database)
  const answers = await Promise.all([survivor, other].map(async ({ url }) => await send(url, 'POST', '/v1/auth/login', { body: credentials })))
  t.strictSame(answers.map(({ status }) => status), [200, 200])
  t.equal(new Set((await events()).map(({ sid }) => sid)).size, 5, 'four sessions, and the refusal')
})
