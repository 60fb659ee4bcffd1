import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { variables } from '../../src/config.ts'
import { send } from '../helpers/processes.ts'
import { until } from '../helpers/until.ts'
import { readCompose, startCompose } from './support/compose.ts'
import { becomeUser, liveASession, resetPassword } from './support/smoke.ts'

const NODES = ['node1', 'node2', 'node3']

/** As a newcomer has it: the files, .env from its example, and secrets made by the script. */
function folder (): string {
  const copy = mkdtempSync(join(tmpdir(), 'compose-'))
  t.teardown(() => rmSync(copy, { recursive: true }))
  cpSync('deploy', copy, { recursive: true, filter: path => !/deploy\/(secrets|\.env)$/.test(path) })
  cpSync('deploy/.env.example', join(copy, '.env'))
  return copy
}

t.test('Docker Compose understands the file, and every service in it is bounded', async t => {
  const here = folder()
  const { services, networks } = await readCompose({}, here)
  t.strictSame(Object.keys(services).sort(), ['haproxy', 'mailpit', 'migrate', ...NODES, 'postgres'])
  for (const [name, service] of Object.entries(services)) {
    t.match(service, { read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'], pids_limit: 200, mem_limit: /^\d+$/ }, name)
    t.notOk(service.privileged)
    t.ok(name === 'migrate' || service.healthcheck.test.length > 1, `${name} has a health check`)
    t.match(service.image, /:[\w.-]+$/, `${name} has a version`)
  }
  const published = Object.entries(services).filter(([, { ports }]) => ports).map(([name, { ports }]) => [name, ports!.map(({ host_ip: address }) => address)])
  t.strictSame(published, [['haproxy', ['127.0.0.1']], ['mailpit', ['127.0.0.1']]], 'only these are reached from outside, and from this machine')
  t.equal(networks['data']!.internal, true)
  t.strictSame(Object.keys(services['postgres']!.networks), ['data'], 'the database has no way out')
  for (const name of NODES) {
    const { environment, depends_on: after, stop_grace_period: grace } = services[name]!
    const known = Object.values(variables).flatMap(({ name, secret }) => secret ? [`${name}_FILE`] : [name])
    t.strictSame(Object.keys(environment).filter(variable => !known.includes(variable)), [], 'every name is a setting, and secrets are files')
    t.match(after, { migrate: { condition: 'service_completed_successfully' } })
    t.ok(Number.parseInt(grace!) >= 10 + 2, 'longer than a node takes to end')
    t.equal(environment['TRUSTED_PROXIES'], services['haproxy']!.networks['edge']!.ipv4_address, 'HAProxy alone says where a client is')
  }
  writeFileSync(join(here, 'compose.yaml'), readFileSync(join(here, 'compose.yaml'), 'utf8').replace('read_only: true', 'readonly: true'))
  await t.rejects(readCompose({}, here), { message: /readonly/ }, 'a fault is noticed')
  await t.rejects(readCompose({ PUBLIC_URL: '' }), { message: /PUBLIC_URL/ }, 'what is needed is asked for')
})

t.test('secrets are made once, each another, in a folder that is closed to others', async t => {
  const here = folder()
  const make = () => execFileSync(join(here, 'make-secrets.sh'), { encoding: 'utf8' })
  t.equal(make().trim().split('\n').length, 4)
  const read = () => ['postgres_password', 'database_url', 'key_encryption_key', 'mail_url'].map(name => readFileSync(join(here, 'secrets', name), 'utf8'))
  const first = read()
  t.equal(make(), '', 'the second time nothing')
  t.strictSame(read(), first)
  t.ok(first[1]!.includes(`:${first[0]}@`))
  t.equal(statSync(join(here, 'secrets')).mode & 0o777, 0o700)
  rmSync(join(here, 'secrets'), { recursive: true })
  make()
  t.notSame(read()[2], first[2])
})

t.test('what the file describes works: sign-up, the link in the mail, sign-in, and on through a node that dies and one that is stopped', async t => {
  const { url, project, mailbox, start } = await startCompose(t)
  t.match(project.services['postgres']!.image, /postgres:18/)
  const migrate = await start('migrate')
  t.equal(await migrate.ended, 0, migrate.output())
  t.match(migrate.output(), /^applied \d+_foundation$/m)
  const [one, two, three] = await Promise.all(NODES.map(async name => await start(name)))
  for (const node of [one!, two!, three!]) t.notMatch(node.output(), /database migrated/, 'it was done before the nodes')
  await start('haproxy')
  await until(async () => (await fetch(`${url}/readyz`)).ok)

  const ada = await becomeUser(t, [url], mailbox)
  t.match(mailbox.all(ada.email)[0]!.link, new RegExp(`^${url}/`), 'the link leads where people reach the service')
  await liveASession(t, Array(6).fill(url), ada)
  await resetPassword(t, [url], mailbox, ada)

  const signedIn = await send(url, 'POST', '/v1/auth/login', { body: { email: ada.email, password: `another ${ada.password}`, refresh: 'body' } })
  let { access_token: access, refresh_token: refresh } = signedIn.json
  /** One request; whether its first try succeeded. Sent again as docs/errors.md says. */
  const ask = async (method: string, path: string, options: object): Promise<{ json: any, first: boolean }> => {
    for (let attempt = 0; ; attempt++) {
      const answer = await send(url, method, path, options).catch(() => null)
      if (answer && answer.status < 300) return { json: answer.json, first: attempt === 0 }
      if (attempt === 20 || (answer && ![502, 503].includes(answer.status))) throw new Error(`${path} answered ${answer?.status} ${JSON.stringify(answer?.json)}`)
      await sleep(100)
    }
  }
  const goOn = async (times: number): Promise<number> => {
    let failed = 0
    for (let at = 0; at < times; at++) {
      if (!(await ask('GET', '/v1/me', { bearer: access })).first) failed++
      const refreshed = await ask('POST', '/v1/auth/refresh', { body: { refresh_token: refresh } })
      if (!refreshed.first) failed++
      ;({ access_token: access, refresh_token: refresh } = refreshed.json)
    }
    return failed
  }
  two!.child.kill('SIGKILL')
  await goOn(10)
  t.pass('a node died, and the session goes on')
  await sleep(1_500)
  t.equal(await goOn(5), 0, 'after a second nobody notices')
  await start('node2')

  await sleep(1_500)
  const began = performance.now()
  three!.child.kill('SIGTERM')
  let failed = 0
  while (three!.child.exitCode === null && performance.now() - began < 15_000) {
    failed += await goOn(1)
    await sleep(100) // fewer than the limits of one address
  }
  t.equal(failed, 0, 'while a node is stopped no request fails')
  t.equal(await three!.ended, 0)
  const drain = Number(project.services['node3']!.environment['DRAIN_SECONDS'])
  t.ok(performance.now() - began >= drain * 1000, 'it drained')
})
