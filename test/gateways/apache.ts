import { readFileSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import t, { type Test } from 'tap'
import { COMMAND_LINE } from '../../src/core/audit/events.ts'
import { registerClient } from '../../src/core/clients/register.ts'
import { freePort } from '../../src/db/embedded/start.ts'
import { newClient, tokenOf } from '../helpers/oauth.ts'
import { learnsOfEndings } from './support/endings.ts'
import { requireInstalled, run, scratch } from './support/gateway.ts'
import { failsClosed } from './support/outages.ts'
import { letsNothingBeSmuggled } from './support/requests.ts'
import { behind, scene, type Protected } from './support/scene.ts'
import { judgesTokens } from './support/tokens.ts'

const apache = requireInstalled('/usr/sbin/apache2', 'apache2')
const MODULES = '/usr/lib/apache2/modules'
requireInstalled(`${MODULES}/mod_auth_openidc.so`, 'libapache2-mod-auth-openidc')

async function guarded (t: Test): Promise<Protected & { log: string }> {
  const from = await scene(t)
  const { id, secret } = await registerClient(from.ctx, { name: 'apache', scope: '', jwks: undefined }, COMMAND_LINE)
  const folder = scratch(t)
  const port = await freePort()
  writeFileSync(join(folder, 'httpd.conf'), `
    ServerRoot ${folder}
    ServerName api.example
    PidFile ${folder}/pid
    DefaultRuntimeDir ${folder}
    Mutex fcntl:${folder}
    Listen 127.0.0.1:${port}
    ErrorLog ${folder}/error.log
    ${userInfo().uid === 0 ? 'User www-data\nGroup www-data' : ''}
    ${['mpm_event', 'authn_core', 'authz_core', 'authz_host', 'auth_openidc', 'proxy', 'proxy_http', 'headers', 'setenvif'].map(name => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`).join('\n')}
    Define STATELESS_AUTH ${from.service.url}
    Define CLIENT_ID ${id}
    Define CLIENT_SECRET ${secret}
    Define UPSTREAM http://127.0.0.1:${from.upstream.port}
    Define PORT ${port}
    Include ${resolve('deploy/gateways/apache/stateless-auth.conf')}
  `)
  await run(t, apache, ['-D', 'FOREGROUND', '-f', join(folder, 'httpd.conf')], { port })
  return { ...await behind(from, { port, calls401: true }), log: join(folder, 'error.log') }
}

t.test('Apache lets in what the service vouches for, and nothing else', async t => {
  const { log, ...p } = await guarded(t)
  await t.test('tokens', async t => await judgesTokens(t, p))
  await t.test('requests', async t => await letsNothingBeSmuggled(t, p))
  await t.test('outages', async t => await failsClosed(t, p))
  await t.test('endings', async t => await learnsOfEndings(t, p))

  // Long tokens do not fit into its cache, and are written to the log for it; a service's own are short enough.
  await t.test('no answer of the service is kept, and no token is in the log', async t => {
    const token = await tokenOf(p, await newClient(p))
    const before = p.service.count('/oauth2/introspect')
    for (let time = 0; time < 5; time++) t.equal((await p.ask('/private', { bearer: token })).status, 200)
    t.equal(p.service.count('/oauth2/introspect'), before + 5)
    t.notMatch(readFileSync(log, 'utf8'), /eyJ/)
  })
})
