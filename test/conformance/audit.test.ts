import { readFileSync } from 'node:fs'
import t from 'tap'
import { AUDIT_TYPES } from '../../src/core/audit/events.ts'

/** What is wrong between the page and the types, in either direction. */
function faults (page: string, types: readonly string[]): string[] {
  const rows = [...page.matchAll(/^\| `([a-z_]+\.[a-z_]+)` \| (.*) \|.*\|$/gm)].map(([, type, when]) => ({ type: type!, when: when!.trim() }))
  return [
    ...rows.filter(({ when }) => when === '').map(({ type }) => `${type} does not say when`),
    ...rows.filter(({ type }, at) => rows.findIndex(other => other.type === type) !== at).map(({ type }) => `${type} stands there twice`),
    ...rows.filter(({ type }) => !types.includes(type)).map(({ type }) => `${type} is documented, but no type`),
    ...types.filter(type => !rows.some(row => row.type === type)).map(type => `${type} is not documented`),
  ]
}

t.test('docs/audit.md lists exactly the events that can be in the trail', async t => {
  t.strictSame(faults(readFileSync('docs/audit.md', 'utf8'), AUDIT_TYPES), [])
})

t.test('an event added on one side only is noticed', async t => {
  const page = '| Type | Written when | `data` |\n| --- | --- | --- |\n| `a.b` | it happened | |\n'
  t.strictSame(faults(page, ['a.b']), [])
  t.strictSame(faults(page, []), ['a.b is documented, but no type'])
  t.strictSame(faults(page, ['a.b', 'c.d']), ['c.d is not documented'])
  t.strictSame(faults(page.replace('it happened', ''), ['a.b']), ['a.b does not say when'])
})
