import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'

// Makes the folders that are published: compiled code, its types, a package.json of its own.
//   node scripts/pack-sdk.ts [--check]

type Root = { version: string, license: string, dependencies: Record<string, string>, devDependencies: Record<string, string> }
type Manifest = { name: string, description: string, engines?: object, files: string[], exports: object, dependencies: string[] }

/** stateless-auth-verifier: for services. */
export function packVerifier (out: string): void {
  const subpaths = { '.': 'index', './fastify': 'fastify', './express': 'express', './hono': 'hono' }
  pack(out, 'tsconfig.sdk.json', 'docs/verifier.md', {
    name: 'stateless-auth-verifier',
    description: 'Verifies access tokens of stateless-auth in another service, and follows its revocation feed.',
    engines: { node: '>=20.19' },
    files: ['canonical.js', 'canonical.d.ts', 'claims.js', 'claims.d.ts', 'verified-tokens.js', 'verified-tokens.d.ts', 'verifier'],
    exports: Object.fromEntries(Object.entries(subpaths).map(([path, file]) => [path, { types: `./verifier/${file}.d.ts`, default: `./verifier/${file}.js` }])),
    dependencies: ['@noble/hashes', 'jose'],
  })
}

/** stateless-auth-client: for pages. */
export function packClient (out: string): void {
  pack(out, 'tsconfig.client.json', 'docs/client.md', {
    name: 'stateless-auth-client',
    description: 'Signs users of a page in with stateless-auth, keeps them signed in, and calls its API with types.',
    files: ['*.js', '*.d.ts', 'generated'],
    exports: { '.': { types: './index.d.ts', default: './index.js' } },
    dependencies: ['openapi-fetch'],
  })
}

function pack (out: string, project: string, readme: string, { name, description, dependencies, ...rest }: Manifest): void {
  const root = JSON.parse(readFileSync('package.json', 'utf8')) as Root
  rmSync(out, { recursive: true, force: true })
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project, '--outDir', out], { stdio: 'inherit' })
  // The compiler rewrites `.ts` in what runs, and leaves it in declarations, where nobody else has such files.
  for (const file of readdirSync(out, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.d.ts'))) {
    const path = join(out, file)
    writeFileSync(path, readFileSync(path, 'utf8').replace(/(from '\.[^']*)\.ts'/g, "$1.js'"))
  }
  const versions = { ...root.devDependencies, ...root.dependencies }
  writeFileSync(join(out, 'package.json'), JSON.stringify({
    name,
    version: root.version,
    description,
    license: root.license,
    type: 'module',
    sideEffects: false,
    ...rest,
    dependencies: Object.fromEntries(dependencies.map(name => [name, `^${versions[name]}`])),
  }, null, 2) + '\n')
  cpSync(readme, join(out, 'README.md'))
  cpSync('LICENSE', join(out, 'LICENSE'))
}

/** The tarball as npm would publish it. */
export function tarballOf (folder: string, into: string): string {
  const [{ filename }] = JSON.parse(execFileSync('npm', ['pack', '--json', '--silent', '--pack-destination', resolve(into)], { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })) as [{ filename: string }]
  return join(into, filename)
}

/** @returns what two independent checkers of packages have to say against it */
export async function faultsOf (folder: string): Promise<string[]> {
  const { messages, pkg } = await publint({ pkgDir: folder, strict: true })
  const work = mkdtempSync(join(tmpdir(), 'pack-'))
  try {
    const analysis = await checkPackage(createPackageFromTarballData(readFileSync(tarballOf(folder, work))))
    if (!analysis.types) return ['no types']
    // ES modules only, with subpaths: resolvers from before `exports` are not served, and CommonJS loads it by import() or require(esm).
    const problems = analysis.problems.filter(problem => !('resolutionKind' in problem && problem.resolutionKind === 'node10') && problem.kind !== 'CJSResolvesToESM')
    return [...messages.map(message => formatMessage(message, pkg) ?? message.code), ...problems.map(problem => JSON.stringify(problem))]
  } finally { rmSync(work, { recursive: true }) }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  packVerifier('dist-sdk/verifier')
  packClient('dist-sdk/client')
  const faults = process.argv.includes('--check') ? (await Promise.all(['dist-sdk/verifier', 'dist-sdk/client'].map(faultsOf))).flat() : []
  for (const fault of faults) console.error(fault)
  process.exitCode = faults.length > 0 ? 1 : 0
}
