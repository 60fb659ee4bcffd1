import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { freePort } from '../../src/db/embedded/start.ts'
import { learnsOfEndings } from './support/endings.ts'
import { requireInstalled, run, scratch } from './support/gateway.ts'
import { carriesRoles } from './support/claims.ts'
import { failsClosed } from './support/outages.ts'
import { letsNothingBeSmuggled } from './support/requests.ts'
import { behind, scene, type Protected } from './support/scene.ts'
import { judgesTokens } from './support/tokens.ts'

const nginx = requireInstalled('/usr/sbin/nginx', 'nginx-light')

/** The file as it is shipped, with the three addresses of its head replaced, in a bare nginx.conf. */
async function guarded (t: Test): Promise<Protected> {
  const from = await scene(t)
  const folder = scratch(t)
  const port = await freePort()
  const site = readFileSync('deploy/gateways/nginx/stateless-auth.conf', 'utf8')
    .replace('127.0.0.1:3000', from.serviceAddress).replace('127.0.0.1:8080', `127.0.0.1:${from.upstream.port}`).replace('127.0.0.1:8000', `127.0.0.1:${port}`)
  writeFileSync(join(folder, 'site.conf'), site)
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(kind => `${kind}_temp_path ${folder}/${kind};`).join(' ')
  writeFileSync(join(folder, 'nginx.conf'), `daemon off; pid ${folder}/pid; error_log stderr; worker_processes 2; events {} http { access_log off; ${temporary} include ${folder}/site.conf; }`)
  await run(t, nginx, ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr'], { port })
  return await behind(from, { port })
}

t.test('nginx lets in what the service vouches for, and nothing else', async t => {
  const p = await guarded(t)
  await t.test('tokens', async t => await judgesTokens(t, p))
  await t.test('requests', async t => await letsNothingBeSmuggled(t, p))
  await t.test('roles and claims', async t => await carriesRoles(t, p))
  await t.test('outages', async t => await failsClosed(t, p))
  await t.test('endings', async t => await learnsOfEndings(t, p))
})
