import { writeFile } from 'node:fs/promises'
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

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile('openapi.yaml', await renderOpenapi())
  await writeFile('docs/configuration.md', renderConfigurationPage())
}
