import { writeFileSync } from 'node:fs'
import { resolve, join } from 'node:path'
import { userInfo } from 'node:os'
import t, { type Test } from 'tap'
import { registerClient } from '../../src/core/clients/register.ts'
import { freePort } from '../../src/db/embedded/start.ts'
import { learnsOfEndings } from './support/endings.ts'
import { requireInstalled, run, scratch } from './support/gateway.ts'
import { failsClosed } from './support/outages.ts'
import { letsNothingBeSmuggled } from './support/requests.ts'
import { behind, scene, type Protected } from './support/scene.ts'
import { judgesTokens } from './support/tokens.ts'

const apache = requireInstalled('/usr/sbin/apache2', 'apache2')
const MODULES = '/usr/lib/apache2/modules'
requireInstalled(`${MODULES}/mod_auth_openidc.so`, 'libapache2-mod-auth-openidc')

async function guarded (t: Test): Promise<Protected> {
  const from = await scene(t)
  const { id, secret } = await registerClient(from.ctx, { name: 'apache', scope: '', jwks: undefined })
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
  return await behind(from, { port, calls401: true })
}

t.test('Apache lets in what the service vouches for, and nothing else', async t => {
  const p = await guarded(t)
  await t.test('tokens', async t => await judgesTokens(t, p))
  await t.test('requests', async t => await letsNothingBeSmuggled(t, p))
  await t.test('outages', async t => await failsClosed(t, p))
  await t.test('endings', async t => await learnsOfEndings(t, p))
})
