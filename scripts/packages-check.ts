import assert from 'node:assert/strict'
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { SERVER } from './pack-server.ts'

// Installs what scripts/release.ts made into empty projects, and uses it there: the server on its embedded database, and
// beside it a service that verifies with the verifier. Ends at the first broken promise.
//   node scripts/packages-check.ts [dist-release]

const release = resolve(process.argv[2] ?? 'dist-release')
const tarballs = readdirSync(release).filter(name => name.endsWith('.tgz')).map(name => join(release, name))
const tarballNamed = (name: string): string => tarballs.find(path => new RegExp(`/${name}-\\d[^/]*$`).test(path)) ?? assert.fail(`there is no ${name} in ${release}`)
const work = mkdtempSync(join(tmpdir(), 'packages-')) // not below this repository: what is missing must be missed
let server: ChildProcess | undefined
let shared: string | undefined

const npm = (cwd: string, ...args: string[]): string => execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })

function project (name: string, ...tarballs: string[]): string {
  const folder = join(work, name)
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, version: '1.0.0', private: true, type: 'module' }))
  npm(folder, 'install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', ...tarballs)
  return folder
}

const filesIn = (tarball: string): string[] => execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).trim().split('\n').map(file => file.replace(/^package\//, ''))

const versionsIn = (lock: string): Map<string, string> =>
  new Map(Object.entries((JSON.parse(readFileSync(lock, 'utf8')) as { packages: Record<string, { version: string }> }).packages).map(([path, { version }]) => [path, version]))

/** The environment of a stranger: nothing of ours but where programs are. */
const environment = { PATH: process.env['PATH'], HOME: work, METRICS_PORT: '0' }

const cli = (folder: string, args: string[], env: Record<string, string> = {}) => {
  try {
    return { code: 0, output: execFileSync('npx', ['--no-install', 'stateless-auth', ...args], { cwd: folder, encoding: 'utf8', env: { ...environment, ...env }, stdio: ['ignore', 'pipe', 'pipe'] }) }
  } catch (error) {
    const { status, stdout, stderr } = error as { status: number, stdout: string, stderr: string }
    return { code: status, output: stdout + stderr }
  }
}

async function serve (folder: string): Promise<string> {
  // As npx does it, without npx between us and the signal.
  server = spawn(join(folder, 'node_modules/.bin/stateless-auth'), ['serve'], { cwd: folder, env: { ...environment, PATH: `${join(folder, 'node_modules/.bin')}:${process.env['PATH']}`, PORT: '0' }, stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const line of createInterface(server.stdout!)) {
    if (!line.startsWith('{')) continue
    const { msg, url, folder: data } = JSON.parse(line) as { msg: string, url?: string, folder?: string }
    if (msg === 'embedded PostgreSQL' && !data!.startsWith(work)) shared = data
    if (url !== undefined && msg === 'listening') { server.stdout!.resume(); return url }
  }
  throw new Error('the packed server ended before it listened')
}

const SERVICE = `
import { createVerifier } from 'stateless-auth-verifier'
const [issuer, upstream, token] = process.argv.slice(2)
const verifier = createVerifier({ issuer, audience: issuer, fetch: (url, init) => fetch(url.replace(issuer, upstream), init) })
console.log((await verifier.verify(token)).sub)
for (;;) {
  const code = await verifier.verify(token).then(() => null, error => error.code)
  if (code) { console.log(code); break }
  await new Promise(resolve => setTimeout(resolve, 50))
}
verifier.close()
`

async function check (): Promise<void> {
  const tarball = tarballNamed(SERVER)
  const files = filesIn(tarball)
  const migrations = readdirSync('prisma/migrations').filter(name => /^\d/.test(name)).map(name => `prisma/migrations/${name}/migration.sql`)
  assert.deepEqual(['dist/cli/main.js', 'npm-shrinkwrap.json', 'README.md', 'LICENSE', 'CHANGELOG.md', ...migrations].filter(file => !files.includes(file)), [], 'everything is in it')
  assert.deepEqual(files.filter(file => /\.(ts|map|tsx)$|(^|\/)test\//.test(file) || !/^(dist\/|prisma\/migrations\/|[^/]+$)/.test(file)), [], 'and no sources, no tests')

  const folder = project('server', tarball)
  // npm obeys the shrinkwrap of a package that comes from a registry, not of one in a file: here it is held against our lock.
  const own = versionsIn('package-lock.json')
  const strayed = [...versionsIn(join(release, SERVER, 'npm-shrinkwrap.json'))].filter(([path, version]) => path !== '' && own.get(path) !== version)
  assert.deepEqual(strayed, [], 'a registry installs the versions that were tested')
  const installed = versionsIn(join(folder, 'node_modules/.package-lock.json'))

  assert.match(cli(folder, ['--help']).output, /^Usage: stateless-auth <command>/)
  assert.deepEqual(cli(folder, ['config', 'check']), { code: 0, output: 'The configuration is good.\n' })
  assert.equal(cli(folder, ['config', 'check'], { ACCESS_TOKEN_TTL_SECOND: '60' }).code, 1, 'a typo is refused')

  const url = await serve(folder)
  assert.equal(cli(folder, ['migrate', 'status']).code, 0, 'the migrations came along and are applied')
  const call = async (path: string, body: object) => {
    const answer = await fetch(`${url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
    assert.ok(answer.ok, `${path}: ${answer.status}`)
    return answer.status === 204 ? {} : await answer.json() as Record<string, string>
  }
  const ada = { email: 'ada@example.com', password: 'a long enough pass phrase' }
  await call('/v1/auth/register', ada)
  const tokens = await call('/v1/auth/login', { ...ada, refresh: 'body' })
  const { iss, sub } = JSON.parse(Buffer.from(tokens['access_token']!.split('.')[1]!, 'base64url').toString()) as { iss: string, sub: string }

  const service = project('service', tarballNamed('stateless-auth-verifier'))
  writeFileSync(join(service, 'service.js'), SERVICE)
  const verifying = spawn(process.execPath, ['service.js', iss, url, tokens['access_token']!], { cwd: service, env: environment, stdio: ['ignore', 'pipe', 'inherit'], timeout: 20_000 })
  const said: string[] = []
  for await (const line of createInterface(verifying.stdout)) {
    if (said.push(line) === 1) await call('/v1/auth/logout', { refresh_token: tokens['refresh_token']! })
  }
  assert.deepEqual(said, [sub, 'revoked'], 'the packed verifier takes the token of the packed server until its session ends')

  server!.kill('SIGTERM')
  const [code] = await once(server!, 'exit') as [number | null]
  assert.equal(code, 0, 'it stops when asked')
  console.log(`packages: ${SERVER} ${(readFileSync(tarball).length / 1024).toFixed(0)} KiB packed, ${files.length} files, ${installed.size} packages installed; used with stateless-auth-verifier`)
}

try {
  await check()
} finally {
  if (server && server.exitCode === null) { server.kill('SIGTERM'); await once(server, 'exit') }
  if (shared?.startsWith('/var/lib/stateless-auth/')) rmSync(shared, { recursive: true, force: true })
  rmSync(work, { recursive: true, force: true })
}
