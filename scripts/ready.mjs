// Plain JavaScript that an old Node.js can parse: it has to be able to say that Node.js is too old.
import { execFileSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(`stateless-auth needs Node.js 22.18 or newer; this is ${process.versions.node}. ` +
    'On Linux `npm ci` brings one along (do not use --omit=optional); elsewhere install a current Node.js.')
  process.exit(1)
}

// What is made from something else, and not committed.
made('src/db/generated/client.ts', 'prisma/schema.prisma', 'prisma', ['node_modules/prisma/build/index.js', 'generate'])
// Types of the client: the service runs without them.
if (!process.argv.includes('--to-run')) made('src/sdk/client/generated/api.ts', 'openapi.yaml', 'openapi-typescript', ['node_modules/openapi-typescript/bin/cli.js', 'openapi.yaml', '-o', 'src/sdk/client/generated/api.ts'])

function made (output, source, tool, command) {
  const newest = Math.max(statSync(source).mtimeMs, statSync(`node_modules/${tool}/package.json`).mtimeMs)
  if (!existsSync(output) || statSync(output).mtimeMs < newest) execFileSync(process.execPath, command, { stdio: ['ignore', 'ignore', 'inherit'] })
}
