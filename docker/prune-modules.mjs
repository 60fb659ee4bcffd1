// Takes out of node_modules what no running service reads: half of it is other databases' query compilers, types and maps.
// Whoever removes too much is told by the build: docker/compile-cache.mjs loads every module afterwards.
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const root = process.argv[2]
const drop = path => rmSync(join(root, path), { recursive: true, force: true })
const keepOnly = (folder, names) => {
  const present = readdirSync(join(root, folder))
  const missing = names.filter(name => !present.includes(name))
  if (missing.length > 0) throw new Error(`${folder} no longer has ${missing.join(', ')}; look at this list again`)
  for (const name of present) if (!names.includes(name)) drop(`${folder}/${name}`)
}

keepOnly('@prisma/client', ['package.json', 'LICENSE', 'runtime'])
keepOnly('@prisma/client/runtime', ['client.js', 'query_compiler_fast_bg.postgresql.mjs', 'query_compiler_fast_bg.postgresql.wasm-base64.mjs'])
keepOnly('argon2', ['package.json', 'LICENSE', 'argon2.cjs', 'prebuilds'])
keepOnly('argon2/prebuilds', [`${process.platform}-${process.arch}`])

// Each of OpenTelemetry's packages has its code three times, and Node loads build/src. Most of their names for things are drafts, which their packages spell themselves.
for (const name of readdirSync(join(root, '@opentelemetry'))) for (const form of ['esm', 'esnext']) drop(`@opentelemetry/${name}/build/${form}`)
for (const name of readdirSync(join(root, '@opentelemetry/semantic-conventions/dist'))) if (/^experimental|incubating/.test(name)) drop(`@opentelemetry/semantic-conventions/dist/${name}`)

// Types, and what only installing or building needs.
for (const name of ['.bin', '.package-lock.json', '@types', 'undici-types', 'type-fest', 'node-addon-api', 'cross-env', '@epic-web', 'zod/src']) drop(name)

// Beside each package's code. Never below its first level: "test" and "docs" may be code there.
const besides = ['test', 'tests', '__tests__', 'docs', 'doc', 'example', 'examples', 'bench', 'benchmark', 'benchmarks', 'integration', '.github', '.vscode']
for (const name of packages()) for (const folder of besides) drop(`${name}/${folder}`)

const unread = /^(?!licen[cs]e.*\.md$).*\.(map|[cm]?ts|flow|md|markdown)$/i
for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
  if (entry.isFile() && unread.test(entry.name)) rmSync(join(entry.parentPath, entry.name))
}

function packages () {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter(({ name, parentPath }) => name === 'package.json' && /(^|\/)node_modules\/(@[^/]+\/)?[^/]+$/.test(join(parentPath)))
    .map(({ parentPath }) => parentPath.slice(root.length + 1))
}
