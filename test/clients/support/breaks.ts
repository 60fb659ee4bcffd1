import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const git = async (cwd: string, ...args: string[]): Promise<string> => (await run('git', args, { cwd, maxBuffer: 64 << 20 })).stdout

/** What callers must expect of any release: docs/clients.md tells them to. */
const EXPECTED = ['response-property-enum-value-added']
const WARNING = 2

export type Meant = { since: string, breaks: { reason: string, changes: string[] }[] }

/**
 * The contract that callers rely on: of the last release, whose commit is the one that wrote its heading into the changelog; before
 * the first release of the commit that breaks.yaml names. No tag is asked for: a clone may come without.
 */
export async function promised (repository: string, { since }: Meant): Promise<{ commit: string, text: string }> {
  if ((await git(repository, 'rev-parse', '--is-shallow-repository')).trim() === 'true') throw new Error('a shallow clone does not know what was promised: git fetch --unshallow')
  const heading = /^## \[?v?\d+\.\d+\.\d+.*$/m.exec(await readFile(join(repository, 'CHANGELOG.md'), 'utf8'))?.[0]
  const released = heading && (await git(repository, 'log', '--reverse', '--format=%H', '-S', heading, '--', 'CHANGELOG.md')).split('\n')[0]
  if (heading && !released) throw new Error(`no commit has "${heading}" in CHANGELOG.md: commit the release first`)
  const commit = released || since
  await git(repository, 'merge-base', '--is-ancestor', commit, 'HEAD').catch(() => { throw new Error(`${commit} is no ancestor of what is checked out`) })
  return { commit, text: await git(repository, 'show', `${commit}:openapi.yaml`) }
}

/** What would no longer work for callers of `base`: "METHOD path: what". */
export async function breaksBetween (base: string, revision: string): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'contract-'))
  try {
    await writeFile(join(folder, 'base.yaml'), base)
    await writeFile(join(folder, 'revision.yaml'), revision)
    const { stdout } = await run('go', ['tool', 'oasdiff', 'breaking', '--format', 'json', join(folder, 'base.yaml'), join(folder, 'revision.yaml')], { cwd: resolve('test/clients/contract'), maxBuffer: 64 << 20 })
    const changes = JSON.parse(stdout || '[]') as { id: string, text: string, level: number, operation?: string, path?: string }[]
    return changes.filter(({ id, level }) => level >= WARNING && !EXPECTED.includes(id)).map(({ text, operation, path }) => [operation, path].filter(Boolean).join(' ') + `: ${text}`)
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** @returns what is wrong: a break that nobody meant, one that is meant without a reason, and one that is no more */
export function faultsOf (found: string[], { breaks }: Meant): string[] {
  const meant = breaks.flatMap(({ changes }) => changes)
  return [
    ...found.filter(change => !meant.includes(change)).map(change => `breaks callers: ${change}`),
    ...breaks.filter(({ reason }) => !/\S+ \S+ \S+/.test(reason ?? '')).map(({ changes }) => `has no reason: ${changes[0]}`),
    ...meant.filter(change => !found.includes(change)).map(change => `is no break (any more): ${change}`),
  ]
}
