import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

// Makes the folder that is published as stateless-auth-server: compiled code, migrations, its own package.json, and the
// exact versions that were tested with it.
//   node scripts/pack-server.ts

/** `stateless-auth` is somebody else's on npm; the command keeps that name. */
export const SERVER = 'stateless-auth-server'

type Root = {
  version: string, description: string, license: string, type: string, engines: object, bin: object
  dependencies: Record<string, string>, optionalDependencies: Record<string, string>
}

/** Links to files of the repository lead nowhere on the page of a package. */
const withoutOwnLinks = (markdown: string): string => markdown.replaceAll(/\[([^\]]+)\]\((?!https?:)[^)]*\)/g, '$1')

export function packServer (out: string): void {
  const root = JSON.parse(readFileSync('package.json', 'utf8')) as Root
  rmSync(out, { recursive: true, force: true })
  mkdirSync(out, { recursive: true })
  execFileSync(process.execPath, ['scripts/ready.mjs'], { stdio: 'inherit' })
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', join(out, 'dist')], { stdio: 'inherit' })
  cpSync('prisma/migrations', join(out, 'prisma/migrations'), { recursive: true })
  for (const file of ['LICENSE', 'CHANGELOG.md']) cpSync(file, join(out, file))
  writeFileSync(join(out, 'README.md'), withoutOwnLinks(readFileSync('docs/packages.md', 'utf8')))
  const { version, description, license, type, engines, bin, dependencies, optionalDependencies } = root
  writeFileSync(join(out, 'package.json'), JSON.stringify({
    name: SERVER, version, description, license, type, engines, bin,
    files: ['dist', 'prisma/migrations', 'npm-shrinkwrap.json', 'CHANGELOG.md'],
    dependencies, optionalDependencies,
  }, null, 2) + '\n')
  // A service is installed as it was tested: what it depends on, and what that depends on, at the versions of our lock file.
  cpSync('package-lock.json', join(out, 'package-lock.json'))
  execFileSync('npm', ['install', '--package-lock-only', '--ignore-scripts', '--omit-lockfile-registry-resolved', '--offline', '--no-audit', '--no-fund', '--silent'], { cwd: out, stdio: 'inherit' })
  renameSync(join(out, 'package-lock.json'), join(out, 'npm-shrinkwrap.json'))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) packServer('dist-release/stateless-auth-server')
