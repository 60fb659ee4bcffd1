// Takes out of node_modules what no running service reads. Nearly all of it is in dist already (scripts/bundle.ts): of those packages the name, the version
// and the licence stay, for whoever asks what the image is made of. Whoever removes too much is told by docker/compile-cache.mjs, which loads everything.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const root = process.argv[2]
const drop = path => rmSync(join(root, path), { recursive: true, force: true })

/** What dist does not have in it, with what that depends on. */
const whole = new Set()
for (const name of ['argon2', 'bcrypt', '@scalar/fastify-api-reference']) keep(name)

const packages = readdirSync(root, { recursive: true, withFileTypes: true })
  .filter(({ name, parentPath }) => name === 'package.json' && /(^|\/)node_modules\/(@[^/]+\/)?[^/]+$/.test(parentPath))
  .map(({ parentPath }) => parentPath.slice(root.length + 1))
for (const path of packages.filter(path => !whole.has(path))) {
  for (const name of readdirSync(join(root, path))) {
    if (name !== 'node_modules' && name !== 'package.json' && !/^(licen[cs]e|notice|copying|copyright)/i.test(name)) drop(`${path}/${name}`)
  }
}

// Of argon2 there are other systems' builds, and what only building needs.
for (const name of readdirSync(join(root, 'argon2'))) if (!['package.json', 'LICENSE', 'argon2.cjs', 'prebuilds'].includes(name)) drop(`argon2/${name}`)
for (const module of ['argon2', 'bcrypt']) for (const name of readdirSync(join(root, module, 'prebuilds'))) if (name !== `${process.platform}-${process.arch}`) drop(`${module}/prebuilds/${name}`)
for (const name of ['.bin', '.package-lock.json', 'node-addon-api', 'cross-env', '@epic-web']) drop(name)

// Types, maps and manuals.
const unread = /^(?!licen[cs]e.*\.md$).*\.(map|[cm]?ts|flow|md|markdown)$/i
for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
  if (entry.isFile() && unread.test(entry.name)) rmSync(join(entry.parentPath, entry.name))
}

/** A package as Node finds it from `from`: in its own node_modules, or beside. */
function keep (name, from = '') {
  const path = from && existsSync(join(root, from, 'node_modules', name)) ? `${from}/node_modules/${name}` : name
  if (whole.has(path)) return
  whole.add(path)
  const { dependencies = {} } = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'))
  for (const dependency of Object.keys(dependencies)) keep(dependency, path)
}
