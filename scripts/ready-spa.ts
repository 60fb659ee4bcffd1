import { execFileSync } from 'node:child_process'
import { existsSync, globSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { packClient, packVerifier } from './pack-sdk.ts'

// Installs what sub-projects need beside the root's packages, as their lock files say, when that has not been done:
//   node scripts/ready-spa.ts [test/browser]
const SPA = 'examples/spa'

for (const folder of [SPA, ...process.argv.slice(2)]) {
  if (isNewer([join(folder, 'package-lock.json')], join(folder, 'node_modules/.package-lock.json'))) {
    execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
  }
}

// Our own packages are in no registry yet: the app gets them as they would come from there.
for (const [name, pack] of [['stateless-auth-client', packClient], ['stateless-auth-verifier', packVerifier]] as const) {
  const packed = join(SPA, 'node_modules', name)
  if (isNewer([...globSync('src/sdk/**/*.ts'), 'scripts/pack-sdk.ts'], join(packed, 'package.json'))) pack(packed)
}

function isNewer (sources: string[], made: string): boolean {
  return !existsSync(made) || sources.some(source => statSync(source).mtimeMs > statSync(made).mtimeMs)
}
