import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { changelogFaults, releasesOf } from './changelog.ts'
import { faultsOf, packClient, packVerifier, tarballOf } from './pack-sdk.ts'
import { packServer, SERVER } from './pack-server.ts'
import { bomFaults, bomOf } from './sbom.ts'

// Makes what a release publishes, in dist-release/: tarballs and bills of materials. Publishing is the workflow's, which has
// the identity that npm's provenance needs.
//   node scripts/release.ts [--dry-run]      a dry run says what would stop a release, and makes everything all the same

type State = { version: string, changelog: string, tags: string[], changes: string[], repository: string | undefined }

/** @returns why this checkout must not be released */
export function releaseFaults ({ version, changelog, tags, changes, repository }: State): string[] {
  const [newest] = releasesOf(changelog)
  return [
    ...changelogFaults(changelog, version),
    ...newest?.version === version ? [] : [`CHANGELOG.md begins with ${newest?.version ?? 'nothing'}, not with ${version}`],
    ...tags.includes(`v${version}`) ? [] : [`this commit has no tag v${version}`],
    ...changes.map(change => `not committed: ${change.trim()}`),
    ...repository === undefined ? ['GITHUB_REPOSITORY is not set: without it there is no provenance'] : [],
  ]
}

/** What is published, beside the server. */
const SDKS: Record<string, (out: string) => void> = { 'stateless-auth-verifier': packVerifier, 'stateless-auth-client': packClient }

/** npm holds the statement of provenance against `repository`, so that is where the release runs. */
function forPublishing (folder: string, repository: string | undefined): string {
  const file = join(folder, 'package.json')
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as object
  const where = repository === undefined ? {} : { repository: { type: 'git', url: `git+https://github.com/${repository}.git` } }
  writeFileSync(file, JSON.stringify({ ...manifest, ...where, publishConfig: { access: 'public', provenance: true } }, null, 2) + '\n')
  return folder
}

/** @returns the tarballs, server first */
async function makeRelease (out: string, repository: string | undefined): Promise<string[]> {
  rmSync(out, { recursive: true, force: true })
  mkdirSync(out, { recursive: true })
  const server = join(out, SERVER)
  packServer(server)
  const faults: string[] = []
  for (const [name, pack] of Object.entries(SDKS)) {
    pack(join(out, name))
    faults.push(...await faultsOf(join(out, name)))
  }
  for (const [name, optional] of [[`${SERVER}.cdx.json`, true], [`${SERVER}-image.cdx.json`, false]] as const) {
    const bom = bomOf(server, { optional })
    faults.push(...bomFaults(bom, server, { optional }).map(fault => `${name}: ${fault}`))
    writeFileSync(join(out, name), JSON.stringify(bom, null, 2) + '\n')
  }
  if (faults.length > 0) throw new Error(faults.join('\n'))
  return [SERVER, ...Object.keys(SDKS)].map(name => tarballOf(forPublishing(join(out, name), repository), out))
}

const git = (...args: string[]): string[] => execFileSync('git', args, { encoding: 'utf8' }).split('\n').filter(Boolean)

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dryRun = process.argv.includes('--dry-run')
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  const repository = process.env['GITHUB_REPOSITORY']
  const faults = releaseFaults({ version, changelog: readFileSync('CHANGELOG.md', 'utf8'), tags: git('tag', '--points-at', 'HEAD'), changes: git('status', '--porcelain'), repository })
  for (const fault of faults) console.error(dryRun ? `would stop a release: ${fault}` : fault)
  if (faults.length > 0 && !dryRun) process.exitCode = 1
  else for (const tarball of await makeRelease('dist-release', repository)) console.log(tarball)
}
