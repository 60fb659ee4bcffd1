import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import type { Result } from '../../bench/measure.ts'
import { table } from '../../bench/table.ts'
import { slug } from '../../docs/.vitepress/pages.ts'

const documents = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], { encoding: 'utf8' }).trim().split('\n')

/** Of a heading as GitHub makes it, and the site: docs/.vitepress/pages.ts. The second of one name is `name-1`. */
function anchorsOf (markdown: string): Set<string> {
  const seen = new Map<string, number>()
  const anchors = new Set<string>()
  for (const [, heading] of markdown.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/^#{1,6} (.+)$/gm)) {
    const name = slug(heading!.replaceAll(/[`*]|\[([^\]]*)\]\([^)]*\)/g, '$1'))
    const times = seen.get(name) ?? 0
    seen.set(name, times + 1)
    anchors.add(times === 0 ? name : `${name}-${times}`)
  }
  return anchors
}

const brokenLinks = (path: string, text: string): string[] =>
  [...text.matchAll(/\]\((?!https?:|mailto:)([^)\s]+)[^)]*\)/g)].map(([, target]) => target!).filter(target => {
    const [file, anchor] = target.split('#') as [string, string?]
    const there = file === '' ? path : join(dirname(path), file)
    return !existsSync(there) || (anchor !== undefined && there.endsWith('.md') && !anchorsOf(file === '' ? text : readFileSync(there, 'utf8')).has(anchor))
  })

t.test('every link between documents leads somewhere, to a heading too', async t => {
  t.strictSame(brokenLinks('README.md', '[gone](docs/gone.md) [here](LICENSE) [no such heading](docs/tokens.md#gone) [one](docs/tokens.md#links-in-mail) [own](#a)\n\n## A'), ['docs/gone.md', 'docs/tokens.md#gone'], 'the check sees a broken one')
  for (const path of documents) t.strictSame(brokenLinks(path, readFileSync(path, 'utf8')), [], path)
})

t.test('every row of the standards names a test that is there', async t => {
  const rows = [...readFileSync('docs/standards.md', 'utf8').matchAll(/^\| (?!Specification|---)(.+?) \| (.+?) \| (.+) \|$/gm)]
  t.ok(rows.length >= 20)
  for (const [, specification, status, tests] of rows) {
    t.match(status, /^(whole|part)\b/, specification!)
    const files = [...tests!.matchAll(/\]\(\.\.\/(test\/[^)]+\.ts)\)/g)].map(([, file]) => file!)
    t.ok(files.length > 0 && files.every(file => existsSync(file)), specification!)
  }
})

t.test('every figure of the capacity page is the one that was measured', async t => {
  const rows = [...readFileSync('docs/capacity.md', 'utf8').matchAll(/^\| `(.+?)` \| ([\d.]+) (.+?) \| \[(.+?)\]\(\.\.\/(bench\/results\/.+?)\) \|$/gm)]
  t.ok(rows.length >= 10)
  for (const [, label, figure, unit, name, file] of rows) {
    const { results } = JSON.parse(readFileSync(file!, 'utf8')) as { results: Array<{ name: string, rows: Array<{ label: string, unit: string, median: number }> }> }
    const measured = results.find(result => result.name === name)?.rows.find(row => row.label.startsWith(label!) && row.unit === unit)
    t.equal(Number(figure), measured?.median, `${label}, ${unit}`)
  }
})

t.test('the table of the performance page is what one run printed', async t => {
  const page = readFileSync('docs/performance.md', 'utf8')
  const runs = [...page.matchAll(/^From \[[^\]]+\]\(\.\.\/(bench\/results\/\S+?\.json)\)/gm)].map(([, file]) => (JSON.parse(readFileSync(file!, 'utf8')) as { results: Result[] }).results)
  t.equal(runs.length, 1)
  const results = runs.flat()
  for (const run of runs) t.ok(page.includes(table(run)), 'line by line')
  const sizes = [...page.matchAll(/\((\d+) bytes each\)/g)]
  t.equal(sizes.length, 3)
  for (const [, figure] of sizes) t.ok(results.find(({ name }) => name === 'sizes')!.rows.some(({ median }) => median === Number(figure)), `${figure} bytes`)
})

t.test('every statement about another server has a source, and a commit where it is a file', async t => {
  const page = readFileSync('docs/comparison.md', 'utf8')
  const rows = page.split('\n').filter(line => line.startsWith('| ') && !/^\| (---|Server|\*\*this one|\| For)/.test(line) && !line.startsWith('| a project'))
  t.ok(rows.length >= 20)
  for (const row of rows) t.match(row, /\]\(https:\/\//, row.slice(0, 60))
  for (const [, kind, ref] of page.matchAll(/github\.com\/[^/]+\/[^/]+\/(blob|tree)\/([^/)]+)/g)) t.match(ref, /^[0-9a-f]{40}$/, kind!)
})

t.test('every table of the schema is in docs/state.md, with the one file that holds its SQL', async t => {
  const state = readFileSync('docs/state.md', 'utf8')
  const tables = [...readFileSync('prisma/schema.prisma', 'utf8').matchAll(/@@map\("(\w+)"\)/g)].map(([, table]) => table!)
  t.ok(tables.length >= 6)
  for (const table of tables) t.match(state, new RegExp(`^\\| \`${table}\` \\| \\[`, 'm'), table)
})
