import { readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import { families, type FamilyName } from '../../src/metrics/families.ts'

const page = readFileSync('docs/metrics.md', 'utf8')
const rules = (parse(readFileSync('deploy/prometheus/alerts.yaml', 'utf8')) as { groups: { rules: { record?: string, alert?: string, expr: string }[] }[] }).groups.flatMap(({ rules }) => rules)
const cases = (parse(readFileSync('deploy/prometheus/alerts.test.yaml', 'utf8')) as { tests: { alert_rule_test: { alertname: string, exp_alerts: unknown[] }[] }[] }).tests.flatMap(({ alert_rule_test: tests }) => tests)
const dashboard = readFileSync('deploy/grafana/dashboard.json', 'utf8')

/** What a Prometheus can find under the names of the families. */
const series = new Set([
  ...Object.entries(families).flatMap(([name, { type }]) => type === 'histogram' ? ['_bucket', '_sum', '_count'].map(suffix => name + suffix) : [name]),
  ...rules.flatMap(({ record }) => record ?? []),
])
const unknownIn = (text: string): string[] => [...text.matchAll(/\b(?:stateless_auth|process|nodejs)[_:][a-z0-9_:]+/g)].map(([name]) => name).filter(name => !series.has(name))

t.test('docs/metrics.md has each metric with its type and labels, and no other', async t => {
  const rows = [...page.matchAll(/^\| `([a-z0-9_]+)` \| (gauge|counter|histogram) \|([^|]*)\| .+ \|$/gm)].map(([, name, type, labels]) => [name!, type!, [...labels!.matchAll(/`(\w+)`/g)].map(([, label]) => label)])
  t.strictSame(rows, (Object.keys(families) as FamilyName[]).map(name => [name, families[name].type, [...families[name].labels]]))
})

t.test('names follow the conventions of Prometheus', async t => {
  for (const [name, { type }] of Object.entries(families)) {
    t.equal(/_total$/.test(name), type === 'counter', name)
    if (type === 'histogram') t.match(name, /_(seconds|bytes)$/)
  }
})

t.test('every metric that an alert or the dashboard speaks of exists, and each metric is on the dashboard', async t => {
  t.strictSame(unknownIn('rate(stateless_auth_sign_in_total[5m])'), ['stateless_auth_sign_in_total'], 'the check sees one that does not')
  t.strictSame(unknownIn(rules.map(({ expr }) => expr).join('\n')), [])
  t.strictSame(unknownIn(dashboard), [])
  t.strictSame(Object.keys(families).filter(name => !new RegExp(`\\b${name}(_bucket)?\\b`).test(dashboard)), [])
})

t.test('each alert says in docs/metrics.md what to do, and is shown firing and not firing', async t => {
  const alerts = rules.flatMap(({ alert }) => alert ?? [])
  t.strictSame([...page.matchAll(/^\| `(StatelessAuth\w+)` \| .{20,} \|$/gm)].map(([, name]) => name), alerts)
  for (const alert of alerts) {
    const its = cases.filter(({ alertname }) => alertname === alert)
    t.ok(its.some(({ exp_alerts: expected }) => expected.length > 0), `${alert} fires`)
    t.ok(its.some(({ exp_alerts: expected }) => expected.length === 0), `${alert} does not fire`)
  }
})
