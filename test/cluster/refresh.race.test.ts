import { randomUUID } from 'node:crypto'
import t from 'tap'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { send, startProcess } from '../helpers/processes.ts'
import { until } from '../helpers/until.ts'
import { PASSWORD } from '../helpers/world.ts'

t.test('300 rounds of four parallel refreshes of one token on two running nodes give one successor each', async t => {
  const database = await freshDatabase(t)
  const [a, b] = await Promise.all([startProcess(t, database), startProcess(t, database)])
  const credentials = { email: `${randomUUID()}@example.com`, password: PASSWORD }
  await send(a.url, 'POST', '/v1/auth/register', { body: credentials })
  let access: string[] = []
  let token = (await send(a.url, 'POST', '/v1/auth/login', { body: { ...credentials, refresh: 'body' } })).json.refresh_token as string
  const old: string[] = []
  let rounds = 0
  for (; rounds < 300; rounds++) {
    const answers = await Promise.all([a, b, a, b].map(node => send(node.url, 'POST', '/v1/auth/refresh', { body: { refresh_token: token } })))
    const statuses = answers.map(answer => answer.status)
    const successors = new Set(answers.map(answer => answer.json.refresh_token as string))
    if (statuses.some(status => status !== 200) || successors.size !== 1) {
      t.fail(`round ${rounds}: statuses ${statuses}, ${successors.size} successors`)
      break
    }
    old.push(token)
    token = [...successors][0]!
    access = answers.map(answer => answer.json.access_token as string)
  }
  t.equal(rounds, 300)
  const sql = await sqlTo(t, database)
  t.strictSame(await sql('SELECT gen, late FROM refresh_spent'), [{ gen: 300, late: 0 }])

  // Whoever kept a token of long ago ends it for everybody, wherever it is shown.
  t.match(await send(b.url, 'POST', '/v1/auth/refresh', { body: { refresh_token: old[10]! } }), { status: 401, json: { code: 'session_ended' } })
  await until(async () => (await Promise.all(access.map(async bearer => await send(a.url, 'GET', '/v1/auth/verify', { bearer })))).every(({ status }) => status === 401))
  t.equal((await send(a.url, 'POST', '/v1/auth/refresh', { body: { refresh_token: token } })).status, 401)
})
