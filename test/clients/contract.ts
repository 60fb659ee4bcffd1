import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { parse, stringify } from 'yaml'
import { breaksBetween, faultsOf, promised, type Meant } from './support/breaks.ts'
import { prepare, shell } from './support/language.ts'

const CONTRACT = readFileSync('openapi.yaml', 'utf8')
const meant = parse(readFileSync('test/clients/contract/breaks.yaml', 'utf8')) as Meant

t.test('the contract passes Redocly\'s strictest rules, and one with a fault does not', async t => {
  const { folder } = await prepare({ title: 'Redocly', name: 'contract', making: ['npm ci'], running: '' })
  const lint = async (file: string) => await shell(`npx redocly lint --config redocly.yaml ${file}`, folder, { REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', NO_COLOR: '1' })
  await lint('openapi.yaml')
  writeFileSync(join(folder, 'faulty.yaml'), changed(({ paths }) => { delete paths['/v1/auth/login'].post.summary }))
  await t.rejects(lint('faulty.yaml'), /operation-summary/)
})

t.test('nothing that callers rely on has changed, but what was meant to', async t => {
  const { commit, text } = await promised(resolve('.'), meant)
  t.comment(`since ${commit}`)
  t.strictSame(faultsOf(await breaksBetween(text, CONTRACT), meant), [], 'a break that is meant belongs into test/clients/contract/breaks.yaml, with its reason')
})

const changed = (change: (document: any) => void): string => {
  const document = parse(CONTRACT)
  change(document)
  return stringify(document)
}

t.test('planted breaks of each kind are found, and additions are none', async t => {
  const broken = changed(({ paths, components: { schemas } }) => {
    delete paths['/v1/me'].get
    delete schemas.User.properties.locale
    schemas.User.required = schemas.User.required.filter((name: string) => name !== 'locale')
    schemas.LoginRequest.required.push('remember')
    schemas.SignedIn.properties.expires_in.type = 'string'
    delete paths['/v1/auth/refresh'].post.responses['200']
  })
  const found = await breaksBetween(CONTRACT, broken)
  for (const change of [
    /^GET \/v1\/me: .*removed/, /^PATCH \/v1\/me: .*`locale`/, /^POST \/v1\/auth\/login: .*`remember`.*required/, /^POST \/v1\/auth\/login: .*`expires_in`.*type/, /^POST \/v1\/auth\/refresh: .*`200`/,
  ]) t.ok(found.some(each => change.test(each)), String(change))

  const grown = changed(({ paths, components: { schemas } }) => {
    paths['/v1/more'] = { get: { ...paths['/livez'].get, operationId: 'more' } }
    schemas.User.properties.nickname = { type: 'string' }
    schemas.LoginRequest.properties.otp = { type: 'string' }
    schemas.ErrorCode.enum.push('too_early')
  })
  t.strictSame(await breaksBetween(CONTRACT, grown), [])
})

t.test('a break passes only while it is one, with a reason', async t => {
  const since = ''
  t.strictSame(faultsOf(['GET /v1/me: removed'], { since, breaks: [] }), ['breaks callers: GET /v1/me: removed'])
  t.strictSame(faultsOf(['GET /v1/me: removed'], { since, breaks: [{ reason: 'nobody ever used it', changes: ['GET /v1/me: removed'] }] }), [])
  t.strictSame(faultsOf(['GET /v1/me: removed'], { since, breaks: [{ reason: ' ', changes: ['GET /v1/me: removed'] }] }), ['has no reason: GET /v1/me: removed'])
  t.strictSame(faultsOf([], { since, breaks: [{ reason: 'nobody ever used it', changes: ['GET /v1/me: removed'] }] }), ['is no break (any more): GET /v1/me: removed'])
})

t.test('what was promised is the last release, and a clone that does not know it fails', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'promised-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const repository = join(folder, 'repository')
  const git = (cwd: string, ...args: string[]) => execFileSync('git', ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', ...args], { cwd, stdio: ['ignore', 'pipe', 'ignore'] }).toString().trim()
  git(folder, 'init', '-q', repository)
  const commit = (changelog: string, openapi: string): string => {
    execFileSync('bash', ['-c', 'printf %s "$1" >CHANGELOG.md; printf %s "$2" >openapi.yaml', '-', changelog, openapi], { cwd: repository })
    git(repository, 'add', '.')
    git(repository, 'commit', '-qm', 'x')
    return git(repository, 'rev-parse', 'HEAD')
  }
  const since = commit('# Changelog\n\n## Unreleased\n', 'first')
  commit('# Changelog\n\n## Unreleased\n\n* Two\n', 'second')
  t.strictSame(await promised(repository, { since, breaks: [] }), { commit: since, text: 'first' })
  const release = commit('# Changelog\n\n## 0.2.0 (2026-12-01)\n\n* Two\n', 'third')
  commit('# Changelog\n\n## Unreleased\n\n* Three\n\n## 0.2.0 (2026-12-01)\n\n* Two\n', 'fourth')
  t.strictSame(await promised(repository, { since, breaks: [] }), { commit: release, text: 'third' })
  git(folder, 'clone', '-q', '--depth', '1', pathToFileURL(repository).href, 'shallow')
  await t.rejects(promised(join(folder, 'shallow'), { since, breaks: [] }), /shallow clone/)
  cpSync(join(folder, 'shallow'), join(folder, 'cut'), { recursive: true })
  rmSync(join(folder, 'cut/.git'), { recursive: true })
  await t.rejects(promised(join(folder, 'cut'), { since, breaks: [] }), /not a git repository/)
})
