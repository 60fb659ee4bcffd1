import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { buildApp } from '../src/app.ts'
import { loadConfig, variables } from '../src/config.ts'
import type { Context } from '../src/context.ts'
import { Revocations } from '../src/core/revocations/live.ts'
import { systemClock } from '../src/lib/clock.ts'
import { createLog } from '../src/log.ts'
import { openapiYaml } from '../src/http/openapi.ts'

/** The contract needs the routes and none of what they run on. */
export async function renderOpenapi (): Promise<string> {
  const config = loadConfig({ PUBLIC_URL: 'http://localhost:3000', LOG_LEVEL: 'silent', DOCS: 'false' }, () => '')
  const app = await buildApp({ config, clock: systemClock, log: createLog(config), revocations: new Revocations({} as never) } as Context)
  return openapiYaml(app)
}

export function renderConfigurationPage (): string {
  const rows = Object.values(variables).map(({ name, default: value, secret, doc }) =>
    `| \`${name}\`${secret ? `, \`${name}_FILE\`` : ''} | ${value === undefined ? '–' : value === '' ? 'none' : `\`${value}\``} | ${doc} |`)
  return `# Configuration

<!-- Generated from src/config.ts by \`npm run generate\`; a test fails when it is stale. -->

Environment variables only. All faults are reported at once, and a name that nearly matches one of these is refused as a typo.
A secret may also be read from a file: \`NAME_FILE=/run/secrets/name\`. \`stateless-auth config print\` shows the effective values, secrets redacted.
\`NODE_ENV=production\` switches the development relaxations off: the embedded database and the generated key.

| Variable | Default | Meaning |
| --- | --- | --- |
${rows.join('\n')}
`
}

const CHART_SCHEMA = 'deploy/helm/stateless-auth/values.schema.json'
/** What the chart itself sets, or has no use for. */
const NOT_IN_THE_CHART = ['MODE', 'PORT', 'HOST', 'METRICS_PORT', 'DATA_DIR']

/** The chart's own values are written by hand; which settings of the service it takes, and what they mean, is said in one place. */
export async function renderChartSchema (): Promise<string> {
  const schema = JSON.parse(await readFile(CHART_SCHEMA, 'utf8'))
  const settings = Object.values(variables).filter(({ name, secret }) => !secret && !NOT_IN_THE_CHART.includes(name))
  const properties = Object.fromEntries(settings.map(({ name, doc: description }) => [name, { description, type: ['string', 'integer', 'boolean'] as unknown }]))
  Object.assign(properties['PUBLIC_URL']!, { type: 'string', pattern: '^https?://[^/]' })
  // The grace period of the pods is made for it.
  Object.assign(properties['DRAIN_SECONDS']!, { type: 'integer', minimum: 0, maximum: 8 })
  schema.properties.config = { description: 'Generated from src/config.ts by `npm run generate`.', type: 'object', additionalProperties: false, required: ['PUBLIC_URL'], properties }
  return `${JSON.stringify(schema, null, 2)}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile('openapi.yaml', await renderOpenapi())
  await writeFile('docs/configuration.md', renderConfigurationPage())
  await writeFile(CHART_SCHEMA, await renderChartSchema())
}
