import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'

const documents = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], { encoding: 'utf8' }).trim().split('\n')

const brokenLinks = (path: string, text: string): string[] =>
  [...text.matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)[^)]*\)/g)].map(([, target]) => target!).filter(target => !existsSync(join(dirname(path), target)))

t.test('every link between documents leads somewhere', async t => {
  t.strictSame(brokenLinks('README.md', '[gone](docs/gone.md) [here](LICENSE)'), ['docs/gone.md'], 'the check sees a broken one')
  for (const path of documents) t.strictSame(brokenLinks(path, readFileSync(path, 'utf8')), [], path)
})

t.test('every table of the schema is in docs/state.md, with the one file that holds its SQL', async t => {
  const state = readFileSync('docs/state.md', 'utf8')
  const tables = [...readFileSync('prisma/schema.prisma', 'utf8').matchAll(/@@map\("(\w+)"\)/g)].map(([, table]) => table!)
  t.ok(tables.length >= 6)
  for (const table of tables) t.match(state, new RegExp(`^\\| \`${table}\` \\| \\[`, 'm'), table)
})
