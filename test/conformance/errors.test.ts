import { readFileSync } from 'node:fs'
import t from 'tap'
import { errorCodes, type ErrorCode } from '../../src/errors.ts'
import { oauthErrorOf, oauthErrors } from '../../src/http/oauth-errors.ts'

type Entry = { code: string, status: number }

/** What is wrong between the page and the table, in either direction. */
function errorPageFaults (page: string, table: Record<string, { status: number }>): string[] {
  const rows = page.split('\n').filter(line => line.startsWith('| `')).map(line => line.split('|').slice(1, -1).map(cell => cell.trim()))
  const documented: Entry[] = rows.map(([code, status]) => ({ code: code!.replaceAll('`', ''), status: Number(status) }))
  return [
    ...rows.filter(cells => cells.length !== 4 || cells.some(cell => cell === '')).map(([code]) => `${code} has an empty cell`),
    ...documented.filter(({ code }, at) => documented.findIndex(other => other.code === code) !== at).map(({ code }) => `${code} stands there twice`),
    ...documented.filter(({ code }) => !Object.hasOwn(table, code)).map(({ code }) => `${code} is documented, but nothing answers it`),
    ...documented.filter(({ code, status }) => Object.hasOwn(table, code) && table[code]!.status !== status).map(({ code }) => `${code} has another status`),
    ...Object.keys(table).filter(code => !documented.some(entry => entry.code === code)).map(code => `${code} is not documented`),
  ]
}

t.test('docs/errors.md lists exactly the errors that a caller can meet, with their status', async t => {
  t.strictSame(errorPageFaults(readFileSync('docs/errors.md', 'utf8'), errorCodes), [])
})

t.test('an error added on one side only is noticed', async t => {
  const page = '| Code | Status | Meaning | Do |\n| --- | --- | --- | --- |\n| `gone` | 410 | It went. | Cry. |\n'
  t.strictSame(errorPageFaults(page, { gone: { status: 410 } }), [])
  t.strictSame(errorPageFaults(page, {}), ['gone is documented, but nothing answers it'])
  t.strictSame(errorPageFaults(page, { gone: { status: 404 } }), ['gone has another status'])
  t.strictSame(errorPageFaults(page, { gone: { status: 410 }, fresh: { status: 400 } }), ['fresh is not documented'])
  t.strictSame(errorPageFaults(page.replace('Cry.', ''), { gone: { status: 410 } }), ['`gone` has an empty cell'])
})

t.test('codes are snake_case, and each has a status of its kind and a title', async t => {
  for (const [code, { status, title }] of Object.entries(errorCodes)) {
    t.match(code, /^[a-z]+(_[a-z]+)*$/)
    t.ok(status >= 400 && status < 600 && title.length > 10, code)
  }
})

t.test('docs/errors.md says which word of OAuth stands for which code, as it is answered under /oauth2', async t => {
  const rows = [...readFileSync('docs/errors.md', 'utf8').matchAll(/^\| \*\*(\w+)\*\* \| (.+) \| (.+) \|$/gm)].map(([, error, codes, statuses]) =>
    ({ error: error!, codes: [...codes!.matchAll(/`(\w+)`/g)].map(([, code]) => code as ErrorCode), statuses: statuses! }))
  t.strictSame(rows.map(({ error }) => error).sort(), [...oauthErrors].sort(), 'every word')
  for (const { error, codes, statuses } of rows) {
    for (const code of codes) t.equal(oauthErrorOf(code), error, code)
    t.equal([...new Set(codes.map(code => errorCodes[code].status))].sort().join(', '), statuses, `the statuses of ${error}`)
  }
})
