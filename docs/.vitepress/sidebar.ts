import { existsSync, globSync, readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { pageOf, ROOT, titleOf } from './pages.ts'

type Entry = { text: string, link: string }
export type Group = { text: string, collapsed?: boolean, items: Entry[] }

/** What stands where, by what a reader wants; a file that no group names fails the check of the site. */
const GROUPS: Record<string, Array<[file: string, text?: string]>> = {
  Begin: [['docs/quick-start.md', 'Quick start'], ['docs/spa.md', 'From a page or an app'], ['docs/services.md', 'From another service'], ['docs/operations.md', 'Operating it']],
  'How it behaves': [['docs/logout.md', 'What a logout does'], ['docs/two-tabs.md', 'Two tabs'], ['docs/tokens.md', 'Tokens'], ['docs/errors.md', 'Errors'], ['docs/proof.md', 'The proof']],
  'For apps and services': [
    ['docs/accounts.md', 'Accounts by mail'], ['docs/client.md', 'Browser client'], ['examples/spa/README.md', 'Example: a page'], ['docs/verifier.md', 'Verifier for JavaScript'], ['docs/verify-in-other-languages.md', 'Other languages'],
    ['docs/openapi.md', 'Generated clients'], ['docs/clients.md', 'Generated clients'], ['deploy/gateways/README.md', 'Gateways'],
  ],
  'For operators': [
    ['docs/configuration.md', 'Configuration'], ['docs/deployment.md', 'Deployment'], ['docs/metrics.md', 'Metrics, traces, alerts'], ['docs/capacity.md', 'Capacity planning'], ['docs/performance.md', 'Performance'], ['docs/admin.md', 'Administering users'],
    ['docs/admin-operations.md', 'Services, keys, records'], ['docs/import.md', 'Accounts in and out'], ['docs/audit.md', 'Audit trail'], ['docs/state.md', 'State ledger'], ['docs/packages.md', 'Packages and releases'],
  ],
  'To judge it': [['SECURITY.md', 'Threat model'], ['docs/standards.md', 'Standards'], ['docs/comparison.md', 'Beside other servers'], ['ARCHITECTURE.md', 'Architecture'], ['CONTRIBUTING.md', 'Contributing'], ['CHANGELOG.md', 'Changelog']],
}

const link = (file: string): string => `/${pageOf(file).replace(/(^|\/)index\.md$/, '$1').replace(/\.md$/, '')}`

const named = new Set(Object.values(GROUPS).flat().map(([file]) => file))
/** What lies beside an example or a way to deploy says what it is; its folder is its name. */
const besides = ['deploy', 'examples'].flatMap(folder => existsSync(resolve(ROOT, folder))
  ? globSync(`${folder}/**/*.md`, { cwd: ROOT, exclude: name => name === 'node_modules' }).filter(file => !named.has(file)).sort()
  : [])

export const sidebar: Group[] = [
  ...Object.entries(GROUPS).map(([text, entries]) => ({
    text, items: entries.filter(([file]) => existsSync(resolve(ROOT, file))).map(([file, name]) => ({ text: name ?? titleOf(file), link: link(file) })),
  })),
  ...besides.length > 0 ? [{ text: 'Examples and deployment', items: besides.map(file => ({ text: titleOf(file), link: link(file) })) }] : [],
  {
    text: 'Decisions',
    collapsed: true,
    items: readdirSync(resolve(ROOT, 'docs/decisions')).filter(name => name.endsWith('.md')).sort()
      .map(name => ({ text: titleOf(`docs/decisions/${name}`), link: link(`docs/decisions/${name}`) })),
  },
]
