import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { freePort } from '../../../src/db/embedded/start.ts'
import { onServer } from '../../setup/database.ts'
import { openMailbox, type Mailbox } from '../../helpers/mailbox.ts'
import { ownPostgres } from '../../helpers/own-postgres.ts'
import { until } from '../../helpers/until.ts'
import { requireInstalled, run, scratch } from '../../gateways/support/gateway.ts'
import { runTool } from './tools.ts'

const haproxy = requireInstalled('/usr/sbin/haproxy', 'haproxy')

export type Service = {
  image: string, command: string[] | null, environment: Record<string, string | null>, depends_on: Record<string, { condition: string }>
  read_only?: boolean, cap_drop?: string[], cap_add?: string[], security_opt?: string[], privileged?: boolean, pids_limit?: number, mem_limit?: string, restart: string
  healthcheck: { test: string[], disable?: boolean }, stop_grace_period?: string
  secrets: { source: string, target: string }[], volumes?: { type: string, source: string, target: string }[]
  ports?: { host_ip: string, published: string, target: number }[], networks: Record<string, { ipv4_address?: string } | null>
}
export type Project = { services: Record<string, Service>, secrets: Record<string, { file: string }>, networks: Record<string, { internal?: boolean }> }

/** The file as Docker Compose understands it, with its own library. */
export async function readCompose (env: Record<string, string>, cwd = 'deploy'): Promise<Project> {
  const { ok, stdout, stderr } = await runTool('compose-model', ['compose.yaml'], { env, cwd })
  if (!ok) throw new Error(stderr)
  return JSON.parse(stdout)
}

export type NodeOfProject = { child: ChildProcess, url: string, output: () => string, ended: Promise<number | null> }
export type Running = { url: string, project: Project, mailbox: Mailbox, start: (service: string) => Promise<NodeOfProject> }

/**
 * What the file describes, with real processes where containers would be: a PostgreSQL 18, a mailbox, HAProxy with the file that is mounted, and nodes with the environment
 * and the secrets that they are given. What stands for the network between them is that names of services become addresses of this machine.
 */
export async function startCompose (t: Test): Promise<Running> {
  const port = await freePort()
  const url = `http://localhost:${port}`
  const project = await readCompose({ PUBLIC_URL: url, LISTEN: `127.0.0.1:${port}` })
  const { services } = project
  const [postgres, mailbox, folder] = [await ownPostgres(t), await openMailbox(t), scratch(t)]
  const nodes = Object.keys(services).filter(name => name.startsWith('node'))
  const ports: Record<string, number> = {}
  for (const name of nodes) ports[name] = await freePort()

  const names: [string, string][] = [['postgres:5432', new URL(postgres.url).host], ['mailpit:1025', new URL(mailbox.url).host], [services['haproxy']!.networks['edge']!.ipv4_address!, '127.0.0.1']]
  const here = (text: string): string => names.reduce((text, [theirs, ours]) => text.replaceAll(theirs, ours), text)

  await promisify(execFile)('deploy/make-secrets.sh', { env: { PATH: process.env['PATH'], SECRETS: folder } })
  const secretOf = (name: string): string => {
    const file = `${folder}/${project.secrets[name]!.file.split('/').at(-1)}`
    writeFileSync(`${file}.here`, here(readFileSync(file, 'utf8')))
    return `${file}.here`
  }
  // As its image does with POSTGRES_USER, POSTGRES_DB and POSTGRES_PASSWORD_FILE.
  const { POSTGRES_USER: user, POSTGRES_DB: database, POSTGRES_PASSWORD_FILE: passwordFile } = services['postgres']!.environment
  const password = readFileSync(`${folder}/${passwordFile!.split('/').at(-1)}`, 'utf8')
  await onServer(postgres.url, async client => {
    await client.query(`CREATE ROLE ${user} SUPERUSER LOGIN PASSWORD '${password}'`)
    await client.query(`CREATE DATABASE ${database} OWNER ${user}`)
  })

  const environmentOf = (name: string): Record<string, string> => {
    const { environment, secrets } = services[name]!
    const mounted = new Map(secrets.map(({ source, target }) => [target, source]))
    const env = Object.fromEntries(Object.entries(environment).filter(entry => entry[1] !== null).map(([variable, value]) =>
      [variable, variable.endsWith('_FILE') ? secretOf(mounted.get(value!)!) : here(value!)]))
    // What the image says (Dockerfile), and where this machine has room.
    return { PATH: process.env['PATH']!, NODE_ENV: 'production', HOST: '127.0.0.1', PORT: String(ports[name] ?? 0), METRICS_PORT: '0', ...env }
  }
  const start = async (name: string): Promise<NodeOfProject> => {
    const child = spawn(process.execPath, ['src/cli/main.ts', ...services[name]!.command ?? ['serve']], { env: environmentOf(name), stdio: ['ignore', 'pipe', 'pipe'] })
    let text = ''
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', chunk => { text += chunk })
    const ended = once(child, 'exit').then(([code]) => code as number | null)
    t.teardown(async () => { child.kill('SIGKILL'); await ended })
    const node = { child, url: `http://127.0.0.1:${ports[name]}`, output: () => text, ended }
    if (ports[name] !== undefined) {
      await until(async () => {
        if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}:\n${text}`)
        return await fetch(`${node.url}/readyz`).then(({ ok }) => ok, () => false)
      }, 30_000)
    }
    return node
  }

  const config = services['haproxy']!.volumes!.find(({ target }) => target.endsWith('haproxy.cfg'))!.source
  const addresses = Object.fromEntries(nodes.map(name => [name.toUpperCase(), `127.0.0.1:${ports[name]}`]))
  const startBalancer = async () => await run(t, haproxy, ['-db', '-f', config], { port, env: { LISTEN: `127.0.0.1:${port}`, ...addresses } })

  const order = async (name: string): Promise<NodeOfProject | null> => {
    if (name === 'haproxy') { await startBalancer(); return null }
    return await start(name)
  }
  return { url, project, mailbox, start: async name => (await order(name))! }
}
