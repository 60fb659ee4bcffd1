// tap comes with a TypeScript loader that we switch off in .taprc, because Node.js strips types itself. tap would notice that
// in the middle of its first run, with the loader still in place for it; so it is told before.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

const built = 'node_modules/@tapjs/test/test-built/dist/esm/index.js'
if (!existsSync('.tap/plugins') || readFileSync(built, 'utf8').includes('@tapjs/typescript')) {
  execFileSync(process.execPath, ['node_modules/tap/dist/esm/run.mjs', 'build'], { stdio: ['ignore', 'ignore', 'inherit'] })
}
