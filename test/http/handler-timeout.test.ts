import Fastify, { type FastifyInstance } from 'fastify'
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { problems } from '../../src/http/problem.ts'
import { handlerTimeout } from '../../src/http/handler-timeout.ts'
import { routeRules } from '../../src/http/route-rules.ts'
import { PASSWORD, world } from '../helpers/world.ts'

async function appWith (t: Test, handler: () => Promise<unknown>): Promise<FastifyInstance> {
  const app = Fastify()
  t.teardown(async () => await app.close())
  await app.register(problems)
  await app.register(routeRules)
  await app.register(handlerTimeout)
  app.get('/', { config: { auth: 'none', limit: 'open' } }, handler)
  await app.ready()
  return app
}

t.test('a handler that waits for ever is answered for after fifteen seconds, as a database that is away', async t => {
  const { promise: working, reject: later } = Promise.withResolvers<never>()
  const { promise: began, resolve: begin } = Promise.withResolvers<void>()
  const app = await appWith(t, async () => { begin(); return await working })
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => { mock.timers.reset() })
  const asked = app.inject('/')
  let answered = false
  asked.then(() => { answered = true }, () => {})
  await began
  mock.timers.tick(14_999)
  await new Promise(resolve => { setImmediate(resolve) })
  t.equal(answered, false)
  mock.timers.tick(1)
  const { statusCode, headers, json } = await asked
  t.match([statusCode, headers['retry-after'], json()], [503, '2', { code: 'database_unavailable' }])
  // What comes of it in the end is nobody's any more: it would end the process here.
  later(new Error('late'))
  await new Promise(resolve => { setImmediate(resolve) })
})

t.test('one that answers in time leaves no timer behind', async t => {
  const timers = () => process.getActiveResourcesInfo().filter(what => what === 'Timeout').length
  const app = await appWith(t, async () => ({ fine: true }))
  const before = timers()
  t.strictSame((await app.inject('/')).json(), { fine: true })
  t.equal(timers(), before)
})

t.test('who waits for a turn to have a password hashed does not wait longer either', async t => {
  const { app, ctx } = await world(t)
  const { promise: began, resolve: begin } = Promise.withResolvers<void>()
  ctx.passwords.enter = async () => { begin(); return await new Promise(() => {}) }
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => { mock.timers.reset() })
  const asked = app.inject({ method: 'POST', url: '/v1/auth/login', body: { email: 'somebody@example.com', password: PASSWORD } })
  asked.catch(() => {})
  await began
  mock.timers.tick(15_000)
  const { statusCode, headers } = await asked
  t.match([statusCode, headers['retry-after']], [503, '2'])
})
