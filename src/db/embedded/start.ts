import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { hash, randomBytes, randomInt } from 'node:crypto'
import { chown, mkdir, mkdtemp, open, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { StartError } from '../../errors.ts'
import { databaseAccount, type Account } from './account.ts'
import { locateBinaries, reachable, type Binaries } from './binaries.ts'
import { claimOwnership, livingOwner } from './owner.ts'
import { findPostmaster, stopPostmaster } from './postmaster.ts'

export type EmbeddedDatabase = { url: string, folder: string, pid: number, stop: () => Promise<void> }

/** Where data goes when only root may enter `folder`, which the account that runs PostgreSQL then cannot. */
const SHARED_STATE = '/var/lib/stateless-auth'

/**
 * A real PostgreSQL below `folder` (made if missing), for development and tests. A server that outlived a killed owner
 * is adopted; one whose owner lives is refused, because the first of two owners to stop would take it from the other.
 */
export async function startEmbedded (folder: string, flags: readonly string[] = []): Promise<EmbeddedDatabase> {
  const account = await databaseAccount()
  await mkdir(folder, { recursive: true })
  const home = await homeFor(await realpath(folder), account)
  await claimOwnership(join(home, 'owner.pid'), folder)
  const binaries = await locateBinaries(account, home)
  const data = join(home, 'data')
  const password = await initialise(binaries, home, data, account)
  const running = await findPostmaster(data)
  if (!running) await spawnServer(binaries.postgres, data, account, flags)
  const { pid, port } = await ready(data)
  return {
    url: urlOf(password, port),
    folder: home,
    pid,
    stop: async () => {
      await stopPostmaster(pid)
      await rm(join(home, 'owner.pid'), { force: true })
    },
  }
}

/** The server below `folder` while its owner lives: to be used beside it. Null when nobody runs it. */
export async function shareEmbedded (folder: string): Promise<EmbeddedDatabase | null> {
  if (!await exists(folder)) return null
  const home = await homeFor(await realpath(folder), await databaseAccount())
  if (await livingOwner(join(home, 'owner.pid')) === null) return null
  const { pid, port } = await ready(join(home, 'data'))
  return { url: urlOf(await readFile(join(home, 'password'), 'utf8'), port), folder: home, pid, stop: async () => {} }
}

const urlOf = (password: string, port: number): string => `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`

async function homeFor (folder: string, account: Account | null): Promise<string> {
  const usable = account === null || await reachable(folder)
  const home = usable ? join(folder, 'postgres') : join(SHARED_STATE, hash('sha256', folder).slice(0, 16))
  await mkdir(home, { recursive: true })
  if (account) await chown(home, account.uid, account.gid)
  return home
}

/** A killed or beaten initdb leaves no half cluster: it works in a folder of its own, which is then renamed into place. */
async function initialise (binaries: Binaries, home: string, data: string, account: Account | null): Promise<string> {
  const passwordFile = join(home, 'password')
  if (!await exists(data)) {
    const work = await mkdtemp(join(home, 'initdb-'))
    if (account) await chown(work, account.uid, account.gid)
    const password = randomBytes(24).toString('base64url')
    await writeFile(join(work, 'password'), password, { mode: 0o600 })
    if (account) await chown(join(work, 'password'), account.uid, account.gid)
    await run(binaries.initdb, ['-D', join(work, 'data'), '-U', 'postgres', '--auth=scram-sha-256', '--encoding=UTF8', '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8', '--locale=C', '--no-sync', `--pwfile=${join(work, 'password')}`], account)
    await rename(join(work, 'password'), passwordFile)
    await rename(join(work, 'data'), data)
    await rm(work, { recursive: true })
  }
  return await readFile(passwordFile, 'utf8')
}

async function run (file: string, args: string[], account: Account | null): Promise<void> {
  const child = spawn(file, args, { cwd: '/', stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' }, ...account })
  let complaint = ''
  child.stderr.on('data', (chunk: Buffer) => { complaint += chunk.toString() })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new StartError(`The embedded PostgreSQL could not be set up: ${complaint.trim().split('\n').at(-1)}`)
}

async function spawnServer (postgres: string, data: string, account: Account | null, flags: readonly string[]): Promise<void> {
  const log = await open(join(data, '..', 'postgres.log'), 'a')
  // A process group of its own: Ctrl-C must reach us first, or the database is gone while we still answer.
  spawn(postgres, ['-D', data, '-p', String(await freePort()), '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories=', ...flags],
    { cwd: '/', detached: true, stdio: ['ignore', log.fd, log.fd], env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' }, ...account }).unref()
  await log.close()
}

async function ready (data: string): Promise<{ pid: number, port: number }> {
  for (let waited = 0; waited < 30_000; waited += 10) {
    const server = await findPostmaster(data)
    if (server?.ready) return server
    await sleep(10)
  }
  throw new StartError(`The embedded PostgreSQL did not start within 30 s; see ${join(data, '..', 'postgres.log')}.`)
}

/** A port that nobody listened on a moment ago; below those from which systems take one for a connection to elsewhere, which could have it before whoever asked. */
export async function freePort (): Promise<number> {
  for (let attempt = 0; ; attempt++) {
    const server = createServer().listen(attempt < 20 ? randomInt(10_000, 32_768) : 0, '127.0.0.1')
    try { await once(server, 'listening') } catch { continue }
    const { port } = server.address() as AddressInfo
    server.close()
    return port
  }
}

const exists = async (path: string): Promise<boolean> => await stat(path).then(() => true, () => false)
