import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Test } from 'tap'
import { packClient, packVerifier, tarballOf } from '../../scripts/pack-sdk.ts'

/** An empty project with the packed verifier and its two dependencies installed, from what is on this machine. */
export const sdkProject = (t: Pick<Test, 'teardown'>): string => project(t, packVerifier, ['jose', '@noble/hashes'])

/** The same with the client. */
export const clientProject = (t: Pick<Test, 'teardown'>): string => project(t, packClient, ['openapi-fetch', 'openapi-typescript-helpers'])

function project (t: Pick<Test, 'teardown'>, pack: (out: string) => void, packages: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'api-')) // not below this repository: what is missing must be missed
  t.teardown(() => rmSync(folder, { recursive: true }))
  pack(join(folder, 'dist'))
  writeFileSync(join(folder, 'package.json'), '{"name":"api","version":"1.0.0","type":"module","private":true}')
  const tarball = tarballOf(join(folder, 'dist'), folder)
  execFileSync('npm', ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--install-links', '--silent', tarball, ...packages.map(name => resolve('node_modules', name))], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  rmSync(join(folder, 'dist'), { recursive: true })
  return folder
}
