import t, { type Test } from 'tap'
import { freePort } from '../../src/db/embedded/start.ts'
import { learnsOfEndings } from './support/endings.ts'
import { requireInstalled, run, scratch } from './support/gateway.ts'
import { failsClosed } from './support/outages.ts'
import { letsNothingBeSmuggled } from './support/requests.ts'
import { behind, scene, type Protected } from './support/scene.ts'
import { judgesTokens } from './support/tokens.ts'

const caddy = requireInstalled('/usr/bin/caddy', 'caddy')

async function guarded (t: Test): Promise<Protected> {
  const from = await scene(t)
  const folder = scratch(t)
  const port = await freePort()
  await run(t, caddy, ['run', '--adapter', 'caddyfile', '--config', 'deploy/gateways/caddy/Caddyfile'], {
    port,
    env: {
      XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder, HOME: folder, CADDY_ADMIN: 'off', SITE: `http://:${port}`, BIND: '127.0.0.1',
      STATELESS_AUTH: from.serviceAddress, UPSTREAM: `127.0.0.1:${from.upstream.port}`,
    },
  })
  return await behind(from, { port })
}

t.test('Caddy lets in what the service vouches for, and nothing else', async t => {
  const p = await guarded(t)
  await t.test('tokens', async t => await judgesTokens(t, p))
  await t.test('requests', async t => await letsNothingBeSmuggled(t, p))
  await t.test('outages', async t => await failsClosed(t, p))
  await t.test('endings', async t => await learnsOfEndings(t, p))
})
