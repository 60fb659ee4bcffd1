// Plain JavaScript that an old Node.js can parse: it has to be able to say that Node.js is too old.
import { execFileSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(`stateless-auth needs Node.js 22.18 or newer; this is ${process.versions.node}. ` +
    'On Linux `npm ci` brings one along (do not use --omit=optional); elsewhere install a current Node.js.')
  process.exit(1)
}

const output = 'src/db/generated/client.ts'
const newest = Math.max(statSync('prisma/schema.prisma').mtimeMs, statSync('node_modules/prisma/package.json').mtimeMs)
if (!existsSync(output) || statSync(output).mtimeMs < newest) {
  execFileSync(process.execPath, ['node_modules/prisma/build/index.js', 'generate'], { stdio: ['ignore', 'ignore', 'inherit'] })
}
