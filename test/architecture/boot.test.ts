import Fastify, { type FastifyInstance, type RouteOptions } from 'fastify'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { routeRules } from '../../src/http/route-rules.ts'

type Declared = RouteOptions['config']

/** A start of an app with one route, declared so. */
async function start (config: Declared | object | undefined, url = '/planted'): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(routeRules)
  await app.register(async feature => { feature.get(url, { ...(config && { config: config as NonNullable<Declared> }) }, async () => 'served') })
  await app.ready()
  return app
}

const refused: [string, object | undefined, RegExp][] = [
  ['declares nothing', undefined, /^GET \/planted does not declare config\.auth and config\.limit$/],
  ['has an empty config', {}, /config\.auth and config\.limit$/],
  ['declares how often, but not who', { limit: 'open' }, /does not declare config\.auth$/],
  ['declares who, but not how often', { auth: 'none' }, /does not declare config\.limit$/],
  ['declares undefined on purpose', { auth: undefined, limit: undefined }, /config\.auth and config\.limit$/],
  ['wants a scope of anybody', { auth: 'none', limit: 'open', scope: 'admin' }, /declares a scope, but not auth: 'bearer'$/],
  ['wants a scope of a refresh token', { auth: 'refresh_token', limit: 'session', scope: 'account' }, /declares a scope/],
]
for (const [what, config, message] of refused) {
  t.test(`a route that ${what} stops the start`, async t => { await t.rejects(start(config), { message }) })
}

t.test('a route that only looks like a library\'s stops the start too', async t => {
  for (const url of ['/docsx', '/documents', '/v1/docs', '/v1/docs/x']) await t.rejects(start(undefined, url), /does not declare/, url)
})

t.test('a route that says who may call it and how often is served', async t => {
  for (const config of [{ auth: 'none', limit: 'open' }, { auth: 'bearer', limit: 'account', scope: 'account' }, { auth: 'refresh_token', limit: 'session' }]) {
    const app = await start(config)
    t.equal((await app.inject('/planted')).body, 'served')
    await app.close()
  }
})

t.test('the service sets these rules up before it registers anything else', async t => {
  const registered = [...readFileSync('src/app.ts', 'utf8').matchAll(/app\.(?:register|get|post|route)\(\(?(?:await )?(\w+)/g)].map(([, name]) => name)
  t.equal(registered[0], 'routeRules')
  t.ok(registered.length > 10)
})
