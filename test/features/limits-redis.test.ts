import t from 'tap'
import { ownRedis, withoutRedis } from '../helpers/redis.ts'
import { until } from '../helpers/until.ts'
import { PASSWORD, world, type Node } from '../helpers/world.ts'

let strangers = 0
const guess = async ({ call }: Node, email: string, password = 'a wrong pass phrase') =>
  (await call('POST', '/v1/auth/login', { body: { email, password }, remoteAddress: `2001:db8:${(++strangers).toString(16)}::1` })).statusCode
const guesses = async (nodes: Node[], email: string, count = 24) => {
  const statuses = await Promise.all(Array.from({ length: count }, async (_, at) => await guess(nodes[at % nodes.length]!, email)))
  return statuses.filter(status => status === 401).length
}

t.test('with Redis the nodes count there; killed, each counts for itself; back, they count there again, and nobody was restarted', { skip: withoutRedis }, async t => {
  const redis = await ownRedis(t)
  const w = await world(t, { REDIS_URL: redis.url })
  const nodes = [w, await w.anotherNode()]
  await until(async () => (await Promise.all(nodes.map(async ({ ctx }) => await ctx.limits.mailbox('warm@mail.test').then(() => true, () => true)))).every(Boolean))
  const said = ({ logLines }: Node, text: string) => logLines().filter(line => line['msg'] === text).length

  t.equal(await guesses(nodes, 'first@mail.test'), 10, 'ten at once over both nodes')
  const { email } = await w.signUp()
  for (let time = 0; time < 12; time++) {
    t.equal(await guess(w, email, PASSWORD), 200, 'who guesses right is charged nothing')
  }
  t.strictSame(await w.sql('SELECT 1 FROM rate_limit'), [], 'nothing is counted in PostgreSQL')

  await redis.kill()
  const began = performance.now()
  t.equal(await guess(w, email, PASSWORD), 200, 'sign-in goes on')
  t.ok(performance.now() - began < 2_000)
  await until(() => nodes.every(node => said(node, 'redis is away: limits are counted in each process') === 1))
  t.equal(await guesses(nodes, 'second@mail.test', 48), 20, 'ten at each node')

  await redis.start()
  await until(() => nodes.every(node => said(node, 'redis is back') === 1), 5_000)
  // A machine that is busy may take it for away once more.
  let mailboxes = 0
  await t.resolves(until(async () => await guesses(nodes, `third-${mailboxes++}@mail.test`) === 10, 20_000), 'ten over both')
})

t.test('a node starts without the Redis that it was told of', { skip: withoutRedis }, async t => {
  const w = await world(t, { REDIS_URL: 'redis://127.0.0.1:1' })
  t.ok((await w.signIn()).access_token)
})
