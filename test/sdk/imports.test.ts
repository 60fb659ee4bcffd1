import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import t from 'tap'

const ALLOWED = ['jose', '@noble/hashes/sha2.js']
const importsOf = (source: string): string[] => [...source.matchAll(/\b(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)].map(([, name]) => name!)
/** What `file` may not import. */
const faults = (file: string, source: string): string[] =>
  importsOf(source).filter(name => name.startsWith('.') ? relative('src/sdk', join(dirname(file), name)).startsWith('..') : !ALLOWED.includes(name))

t.test('the SDK imports jose, one digest and itself: no Node.js, nothing of the service', async t => {
  const planted = "import { hash } from 'node:crypto'\nimport x from '../../lib/ids.ts'\nconst y = await import('fs')\nimport 'pg'\nexport * from '../claims.ts'"
  t.strictSame(faults('src/sdk/verifier/x.ts', planted), ['node:crypto', '../../lib/ids.ts', 'fs', 'pg'], 'the check sees them')
  const files = readdirSync('src/sdk', { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'))
  t.ok(files.length >= 10)
  for (const file of files) t.strictSame(faults(join('src/sdk', file), readFileSync(join('src/sdk', file), 'utf8')), [], file)
})
