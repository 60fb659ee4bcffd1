import { randomUUID } from 'node:crypto'
import t from 'tap'
import { HASH_CONCURRENCY } from '../../src/core/passwords/admission.ts'
import { freshDatabase } from '../helpers/database.ts'
import { send, startProcess } from '../helpers/processes.ts'
import { PASSWORD } from '../helpers/world.ts'

/** As many as may wait for a hash from one address. */
const WAITING = 8
const someone = () => ({ email: `${randomUUID()}@example.com`, password: PASSWORD })

// Over real sockets: it used to be that a request which had to wait for its hash was given up once its body had been read.
t.test('people who sign up at the same moment wait for their turn, and all get their account', async t => {
  const node = await startProcess(t, await freshDatabase(t))
  const answers = await Promise.all(Array.from({ length: HASH_CONCURRENCY + WAITING }, async () => await send(node.url, 'POST', '/v1/auth/register', { body: someone() })))
  t.strictSame(answers.map(({ status }) => status), answers.map(() => 201))
})

t.test('who hangs up while waiting for a hash gives the place in the queue back', async t => {
  const node = await startProcess(t, await freshDatabase(t), { env: { ARGON2_PASSES: '10', ARGON2_MEMORY_KIB: '65536' } })
  const hangUp = new AbortController()
  const impatient = Array.from({ length: HASH_CONCURRENCY + WAITING }, async () => await fetch(`${node.url}/v1/auth/register`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(someone()), signal: hangUp.signal,
  }))
  // Refused, so the queue is full.
  let refused
  do refused = await send(node.url, 'POST', '/v1/auth/register', { body: someone() }); while (refused.status === 201)
  t.equal(refused.json.code, 'login_busy')
  t.ok(Number(refused.headers.get('retry-after')) > 0)
  hangUp.abort()
  await Promise.allSettled(impatient)
  await send(node.url, 'GET', '/livez')
  const patient = await Promise.all(Array.from({ length: 3 }, async () => await send(node.url, 'POST', '/v1/auth/register', { body: someone() })))
  t.strictSame(patient.map(({ status }) => status), [201, 201, 201])
})
