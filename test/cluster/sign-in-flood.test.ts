import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import t from 'tap'
import { freshDatabase } from '../helpers/database.ts'
import { send, startProcess } from '../helpers/processes.ts'
import { PASSWORD } from '../helpers/world.ts'

type Answer = { status: number, code: string | undefined, retryAfter: string | undefined }

/** A sign-in from an address of its own: all of 127/8 is this machine. */
async function signInFrom (localAddress: string, url: string, credentials: object): Promise<Answer> {
  const asked = request(`${url}/v1/auth/login`, { method: 'POST', localAddress, agent: false, headers: { 'content-type': 'application/json' } })
  asked.end(JSON.stringify(credentials))
  const [answer] = await once(asked, 'response') as [IncomingMessage]
  let body = ''
  for await (const chunk of answer.setEncoding('utf8')) body += chunk
  return { status: answer.statusCode!, code: JSON.parse(body).code, retryAfter: answer.headers['retry-after'] }
}

for (const { count, scale, refusals } of [
  { count: 200, scale: '1', refusals: ['429 too_many_requests', '503 login_busy'] },
  // Where many users are behind one address, its limits stop nobody: what stops them is how much of it is worked on at once.
  { count: 1_000, scale: '100000', refusals: ['503 login_busy'] },
]) {
  t.test(`${count} sign-ins at once from one address (RATE_LIMIT_SCALE=${scale}): tokens are verified all the time, another address signs in, the surplus is told when to come again`, async t => {
    const { url } = await startProcess(t, await freshDatabase(t), { env: { ARGON2_PASSES: '6', RATE_LIMIT_SCALE: scale } })
    const account = { email: `${randomUUID()}@example.com`, password: PASSWORD }
    await send(url, 'POST', '/v1/auth/register', { body: account })
    const { access_token: bearer } = (await send(url, 'POST', '/v1/auth/login', { body: account })).json

    const flood = Array.from({ length: count }, async (_, at) => await signInFrom('127.0.0.66', url, { email: `stranger${at % 25}@example.com`, password: 'a wrong pass phrase' }))
    const over = new AbortController()
    Promise.allSettled(flood).then(() => over.abort())
    const verdicts: number[] = []
    const verifying = (async () => { while (!over.signal.aborted) verdicts.push((await send(url, 'GET', '/v1/auth/verify', { bearer })).status) })()
    const neighbour = await signInFrom('127.0.0.7', url, account)
    t.notOk(over.signal.aborted, 'while the flood is on')
    t.equal(neighbour.status, 200)

    const answers = await Promise.all(flood)
    await verifying
    t.strictSame([...new Set(verdicts)], [200], `${verdicts.length} verifications meanwhile`)
    t.ok(verdicts.length > 10)
    const busy = answers.filter(({ status }) => status === 503)
    // On a busy machine those that are worked on may wait too long for the database, as everybody may; those are few.
    const waited = answers.filter(({ code }) => code === 'database_unavailable').length
    t.ok(waited <= 16, `${waited} took the database's time`)
    t.strictSame([...new Set(answers.map(({ status, code }) => `${status} ${code}`))].filter(answer => answer !== '503 database_unavailable').sort(), ['401 invalid_credentials', ...refusals])
    t.ok(busy.every(({ retryAfter }) => /^[1-5]$/.test(retryAfter ?? '')), `${busy.length} refused`)
  })
}
