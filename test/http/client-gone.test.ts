import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { PASSWORD, world } from '../helpers/world.ts'

// Over a socket: injected requests have no connection to lose. Slow hashes, so that there is a queue; beside other tests all of it stays within the time limit of a handler.
const SLOW = { ARGON2_MEMORY_KIB: '65536', ARGON2_PASSES: '5' }
/** So many hashes run at once; whoever comes after them waits. */
const RUNNING = Math.max(1, availableParallelism() - 1)

t.test('sign-ups that wait for their hash are served: that their body was read is no hang-up', async t => {
  const { app } = await world(t, SLOW)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/v1/auth/register`
  const answers = await Promise.all(Array.from({ length: RUNNING + 4 }, async (_, i) => await fetch(url, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ email: `waiting-${i}@example.com`, password: PASSWORD }),
  })))
  t.ok(answers.every(({ status }) => status === 201), `${answers.map(({ status }) => status)}`)
})

t.test('a client that hangs up while it waits gives its place back, and is no fault of the service', async t => {
  const { app, ctx, sql, logLines } = await world(t, SLOW)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/v1/auth/register`
  const leaving = new AbortController()
  const send = async (email: string, signal?: AbortSignal) => await fetch(url, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ email, password: PASSWORD }), ...(signal && { signal }),
  })
  let arrived = 0
  app.server.on('request', () => { arrived++ })
  const patient = Array.from({ length: RUNNING + 6 }, async (_, i) => await send(`patient-${i}@example.com`))
  while (arrived < patient.length) await sleep(2)
  const left = send('left@example.com', leaving.signal)
  while (arrived < patient.length + 1) await sleep(2)
  await sleep(50) // it is in the queue now, behind some seconds of hashes
  leaving.abort()
  await t.rejects(left)
  t.ok((await Promise.all(patient)).every(({ status }) => status === 201))
  t.equal(ctx.passwords.waiting, 0)
  t.strictSame(await sql('SELECT 1 FROM users WHERE email = \'left@example.com\''), [], 'its hash never ran')
  t.strictSame(logLines().filter(({ level }) => level === 'error'), [])
})
