import { randomUUID } from 'node:crypto'
import t from 'tap'
import { once, type Answer, type Once } from '../../src/core/idempotency/once.ts'
import type { Context } from '../../src/context.ts'
import { world } from '../helpers/world.ts'

const request = (more: Partial<Once> = {}): Once => ({
  key: 'k1', actor: 'ada', route: 'POST /v1/things', payload: { method: 'POST', path: '/v1/things', body: { a: 1, b: { c: [1, 2], d: 'x' } } }, ...more,
})
/** An effect that can be counted. */
const effect = async ({ db }: Context): Promise<Answer> => {
  const id = randomUUID()
  await db.$executeRawUnsafe('INSERT INTO users (id, email) VALUES ($1::uuid, $2)', id, `${id}@mail.test`)
  return { status: 201, body: { id, secret: 'shown once' } }
}
const codeOf = async (work: Promise<unknown>) => await work.then(() => 'ok', (error: { code: string }) => error.code)

t.test('a key stands for one request of one caller, and its answer is the same on any node, also after the keys of the installation changed', async t => {
  const { ctx, sql, anotherNode } = await world(t)
  const { ctx: other } = await anotherNode()
  const first = await once(ctx, request(), effect)
  t.match(first, { status: 201, replayed: false })
  t.strictSame(await once(other, request(), effect), { ...first, replayed: true })
  t.strictSame(await once(ctx, request({ payload: { method: 'POST', path: '/v1/things', body: { b: { d: 'x', c: [1, 2] }, a: 1 } } }), effect), { ...first, replayed: true }, 'members in another order are the same')
  for (const payload of [{ method: 'POST', path: '/v1/things', body: { a: 1 } }, { method: 'POST', path: '/v1/things', body: { a: 1, b: { c: [2, 1], d: 'x' } } }, { method: 'POST', path: '/v1/others', body: request().payload.body }]) {
    t.equal(await codeOf(once(other, request({ payload }), effect)), 'idempotency_key_reused')
  }
  t.match(await once(ctx, request({ actor: 'eve' }), effect), { replayed: false }, 'nobody meets the answer of another caller')
  t.match(await once(ctx, request({ route: 'POST /v1/others' }), effect), { replayed: false })
  t.notMatch(JSON.stringify(await sql("SELECT encode(fp, 'escape') || body::text AS kept FROM idempotency")), /shown once/, 'what is kept is sealed')

  // A month later another key signs; the older one still opens.
  await sql("UPDATE signing_key SET slot = slot - 1 WHERE use = 'ft'")
  for (const { keyring } of [ctx, other]) await keyring.reload()
  t.strictSame(await once(other, request(), effect), { ...first, replayed: true })
  await sql("UPDATE idempotency SET expires_at = now() - interval '1 second'")
  t.match(await once(other, request(), effect), { replayed: false }, 'a day later the key is free, purged or not')
})

t.test('four at once on two nodes: one effect, three replays; one that fails leaves nothing behind', async t => {
  const { ctx, sql, anotherNode } = await world(t)
  const nodes = [ctx, (await anotherNode()).ctx]
  for (let round = 0; round < 20; round++) {
    const answers = await Promise.all([0, 1, 2, 3].map(async at => await once(nodes[at % 2]!, request({ key: `round ${round}` }), effect)))
    t.equal(answers.filter(({ replayed }) => !replayed).length, 1)
    t.equal(new Set(answers.map(({ body }) => JSON.stringify(body))).size, 1)
  }
  t.strictSame(await sql('SELECT (SELECT count(*)::int FROM users) AS users, (SELECT count(*)::int FROM idempotency) AS kept'), [{ users: 20, kept: 20 }])

  await t.rejects(once(ctx, request({ key: 'fails' }), async ctx => { await effect(ctx); throw new Error('the node fell over') }))
  t.match(await once(nodes[1]!, request({ key: 'fails' }), effect), { replayed: false })
  t.strictSame(await sql('SELECT count(*)::int AS users FROM users'), [{ users: 21 }])
})

t.test('who waits too long for the same request is told that it is under way', async t => {
  const { ctx, anotherNode } = await world(t)
  const { ctx: other } = await anotherNode()
  const [started, finished] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const slow = once(ctx, request(), async ctx => {
    started.resolve()
    await finished.promise
    return await effect(ctx)
  })
  await started.promise
  const began = performance.now()
  t.equal(await codeOf(once(other, request(), effect)), 'request_in_progress')
  t.ok(performance.now() - began < 2_500)
  finished.resolve()
  t.match(await slow, { replayed: false })
  t.match(await once(other, request(), effect), { replayed: true })
})
