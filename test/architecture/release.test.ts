import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { changelogFaults } from '../../scripts/changelog.ts'
import { releaseFaults } from '../../scripts/release.ts'
import { bomFaults, type Bom } from '../../scripts/sbom.ts'
import { siteFaults } from '../../scripts/docs-site.ts'

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
const GOOD = '# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2026-11-24\n\n### Added\n\n* A thing.\n\n## [1.1.0] - 2026-10-01\n\n### Fixed\n\n* Another.\n'

t.test('CHANGELOG.md keeps the form of keepachangelog.com and knows the version of package.json', async t => {
  t.strictSame(changelogFaults(readFileSync('CHANGELOG.md', 'utf8'), version), [])
  t.strictSame(changelogFaults(GOOD, '1.2.0'), [])
  t.strictSame(changelogFaults(GOOD, '1.3.0'), ['package.json says 1.3.0, the newest release is 1.2.0'])
  t.strictSame(changelogFaults(GOOD.replace('### Fixed', '### Bugs').replace('2026-10-01', 'October'), '1.2.0'), ['"Bugs" is none of Added, Changed, Deprecated, Removed, Fixed, Security', '"1.1.0" is not "[1.2.3] - 2026-01-31"'])
  t.strictSame(changelogFaults(GOOD.replace('* A thing.', ''), '1.2.0'), ['1.2.0 has no entries'])
  t.strictSame(changelogFaults('# Changelog\n\n## [Unreleased]\n', '0.1.0'), ['0.1.0 has no entry'])
})

t.test('a release is refused unless version, changelog and tag agree and everything is committed', async t => {
  const changelog = GOOD.replace('## [Unreleased]\n\n', '')
  const good = { version: '1.2.0', changelog, tags: ['v1.2.0'], changes: [], repository: 'somebody/stateless-auth' }
  t.strictSame(releaseFaults(good), [])
  t.strictSame(releaseFaults({ ...good, tags: ['v1.1.0'] }), ['this commit has no tag v1.2.0'])
  t.strictSame(releaseFaults({ ...good, changelog: GOOD }), ['CHANGELOG.md begins with Unreleased, not with 1.2.0'])
  t.strictSame(releaseFaults({ ...good, changes: [' M src/app.ts'] }), ['not committed: M src/app.ts'])
  t.strictSame(releaseFaults({ ...good, repository: undefined }), ['GITHUB_REPOSITORY is not set: without it there is no provenance'])
})

t.test('the release workflow runs what is there, with actions pinned to commits and no standing secret', async t => {
  const text = readFileSync('.github/workflows/release.yml', 'utf8')
  const { permissions, jobs: { publish } } = parse(text) as { permissions: object, jobs: { publish: { permissions: object, steps: Array<{ uses?: string, run?: string }> } } }
  t.strictSame(permissions, {})
  t.strictSame(publish.permissions, { contents: 'read', 'id-token': 'write' })
  for (const { uses } of publish.steps.filter(step => step.uses)) t.match(uses, /@[0-9a-f]{40}$/)
  for (const [script] of publish.steps.flatMap(({ run }) => [...(run ?? '').matchAll(/scripts\/\S+/g)])) t.ok(existsSync(script), script)
  t.notMatch(text, /secrets\./)
})

t.test('a bill of materials that leaves something out, or has it with another hash, is seen', async t => {
  const folder = t.testdir({
    'package.json': '{"name":"s","version":"1.0.0"}',
    'npm-shrinkwrap.json': JSON.stringify({ packages: { '': {}, 'node_modules/@a/b': { version: '1.0.0', integrity: `sha512-${Buffer.alloc(64, 1).toString('base64')}` }, 'node_modules/c': { version: '2.0.0', optional: true, integrity: `sha512-${Buffer.alloc(64, 2).toString('base64')}` } } }),
  })
  const component = (name: string, version: string, byte: number) => ({ name, version, purl: `pkg:npm/${name}@${version}`, hashes: [{ alg: 'SHA-512', content: Buffer.alloc(64, byte).toString('hex') }] })
  const bom = (...components: Bom['components']): Bom => ({
    bomFormat: 'CycloneDX', specVersion: '1.5', serialNumber: 'urn:uuid:1', metadata: { component: { name: 's', version: '1.0.0' } }, components,
    dependencies: [...components, null].map(() => ({ ref: '', dependsOn: [] })),
  })
  t.strictSame(bomFaults(bom(component('@a/b', '1.0.0', 1), component('c', '2.0.0', 2)), folder, { optional: true }), [])
  t.strictSame(bomFaults(bom(component('@a/b', '1.0.0', 1)), folder, { optional: true }), ['c@2.0.0 is missing'])
  t.strictSame(bomFaults(bom(component('@a/b', '1.0.0', 1)), folder, { optional: false }), [])
  t.strictSame(bomFaults(bom(component('@a/b', '1.0.0', 9), component('d', '1.0.0', 3)), folder, { optional: false }), ['d@1.0.0 is not installed', '@a/b@1.0.0 has another hash or no package URL'])
})

t.test('the check of the docs site sees a dead link, a dead anchor, another host and a page that nothing leads to', async t => {
  const folder = t.testdir()
  mkdirSync(join(folder, 'a'))
  const page = (path: string, body: string) => writeFileSync(join(folder, path), `<html><body>${body}</body></html>`)
  page('index.html', '<aside class="VPSidebar"><a href="/a/b">B</a><a href="/a/">A</a></aside><a href="/a/b#there">x</a><a href="https://example.com/">out</a>')
  page('a/index.html', '<h1 id="top"></h1><a href="#top">t</a><img src="/i.png">')
  page('a/b.html', '<h2 id="there"></h2>')
  t.strictSame(siteFaults(folder), [])
  page('a/b.html', '<h2 id="elsewhere"></h2><script src="https://cdn.example/x.js"></script><a href="/gone">gone</a>')
  page('lost.html', '')
  writeFileSync(join(folder, 's.css'), '@import url(https://fonts.example/f.css)')
  t.strictSame(siteFaults(folder).sort(), ['a/b.html links to /gone', 'a/b.html loads https://cdn.example/x.js', 'index.html links to /a/b#there, which has no such heading', 'lost.html is not in the sidebar', 's.css loads https://fonts.example/f.css'])
})
