import t from 'tap'
import { purgeRateLimits } from '../../src/core/throttle/store.ts'
import { AppError } from '../../src/errors.ts'
import { until } from '../helpers/until.ts'
import { PASSWORD, world, type Node } from '../helpers/world.ts'

/** Sign-ups that are refused for their password, before they cost a hash: the limit counts them first. */
const signUp = async ({ call }: Node, remoteAddress: string, headers: Record<string, string> = {}) =>
  await call('POST', '/v1/auth/register', { body: { email: 'ada@mail.test', password: 'weak' }, remoteAddress, headers })

t.test('an address may try so often, not so often at each node, and no other spelling or neighbour of it more', async t => {
  const w = await world(t, { RATE_LIMIT_SCALE: '1' })
  const nodes = [w, await w.anotherNode(), await w.anotherNode()]
  const letThrough = async (count: number, from: (at: number) => [remoteAddress: string, headers?: Record<string, string>]) => {
    const answers = await Promise.all(Array.from({ length: count }, async (_, at) => await signUp(nodes[at % 3]!, ...from(at))))
    for (const { headers } of answers.filter(({ statusCode }) => statusCode === 429)) t.ok(Number(headers['retry-after']) > 3_000 && Number(headers['retry-after']) <= 3_600, 'told when to come again')
    return answers.filter(({ statusCode }) => statusCode === 400).length
  }
  t.equal(await letThrough(45, at => [at % 2 ? '203.0.113.1' : '::ffff:203.0.113.1', { 'x-forwarded-for': `198.51.100.${at}` }]), 30, 'round robin over three nodes, with forged headers, in two spellings')
  t.equal(await letThrough(60, at => [`2001:db8:0:1::${at.toString(16)}`]), 30, 'from sixty addresses of one /64')
  t.equal(await letThrough(3, () => ['2001:db8:0:2::1']), 3, 'the next /64 is another caller')
})

t.test('an address has sixty sign-ins a minute over all nodes, whoever it tries to be', async t => {
  const w = await world(t, { RATE_LIMIT_SCALE: '1' })
  const nodes = [w, await w.anotherNode(), await w.anotherNode()]
  const statuses: number[] = []
  for (let round = 0; round < 14; round++) {
    statuses.push(...await Promise.all(Array.from({ length: 5 }, async (_, at) =>
      (await nodes[(round + at) % 3]!.call('POST', '/v1/auth/login', { body: { email: `nobody${round * 5 + at}@mail.test`, password: PASSWORD }, remoteAddress: '203.0.113.9' })).statusCode)))
  }
  t.strictSame([401, 429].map(wanted => statuses.filter(status => status === wanted).length), [60, 10])
  t.equal((await w.call('POST', '/v1/auth/login', { body: { email: 'nobody@mail.test', password: PASSWORD }, remoteAddress: '203.0.113.10' })).statusCode, 401, 'its neighbour signs in')
})

t.test('a mailbox gets three mails an hour, whichever node is asked from wherever, and one that nobody has looks the same', async t => {
  const w = await world(t, { RATE_LIMIT_SCALE: '7' })
  const nodes = [w, await w.anotherNode()]
  const { email } = await w.signUp()
  const outcome = async (work: Promise<void>) => await work.then(() => 'sent', (error: AppError) => `${error.code} ${error.extra.retryAfterSeconds! > 3_000}`)
  for (const mailbox of [email, 'nobody@mail.test']) {
    const outcomes = await Promise.all(Array.from({ length: 20 }, async (_, at) => await outcome(nodes[at % 2]!.ctx.limits.mailbox(mailbox))))
    t.strictSame(outcomes.sort(), [...Array<string>(3).fill('sent'), ...Array<string>(17).fill('too_many_requests true')])
  }
  const outcomes = await Promise.all(Array.from({ length: 220 }, async (_, at) => await outcome(nodes[at % 2]!.ctx.limits.attempt('mail', '203.0.113.1'))))
  t.equal(outcomes.filter(sent => sent === 'sent').length, 210, 'only the limit of an address is multiplied')
  t.notMatch(JSON.stringify(await w.sql('SELECT key FROM rate_limit')), /nobody|example\.com/, 'the counters do not say whom somebody wanted to reach')
})

t.test('counters whose window is over are removed, and no others', async t => {
  const w = await world(t)
  await Promise.all(Array.from({ length: 5 }, async (_, at) => await w.ctx.limits.attempt('mail', `192.0.2.${at}`)))
  await w.sql('UPDATE rate_limit SET expire = expire - 3700000 WHERE key LIKE \'%192.0.2.1\'')
  await purgeRateLimits(w.ctx.db, 100)
  t.strictSame((await w.sql<{ key: string }>('SELECT key FROM rate_limit ORDER BY 1')).map(({ key }) => key), [0, 2, 3, 4].map(at => `mail:192.0.2.${at}`))
})

t.test('while PostgreSQL is away nothing passes uncounted', async t => {
  const w = await world(t)
  await w.sql('ALTER TABLE rate_limit RENAME TO away')
  t.equal((await w.app.inject({ method: 'POST', url: '/v1/auth/login', payload: { email: 'a@mail.test', password: PASSWORD } })).statusCode, 500)
  await w.sql('ALTER TABLE away RENAME TO rate_limit')
  await until(async () => (await w.call('POST', '/v1/auth/login', { body: { email: 'a@mail.test', password: PASSWORD } })).statusCode === 401)
})
