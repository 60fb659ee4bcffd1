import type { Config } from '../config.ts'
import type { Log } from '../log.ts'

/** Says that it serves, in the log and, in development, to whoever sits before it. */
export function announce (url: string, config: Config, log: Log, more: object = {}): void {
  const { relaxations, publicUrl, production, mode } = config
  if (relaxations.length > 0) log.info({ relaxations }, 'development relaxations are on')
  log.info({ url, issuer: publicUrl, ...more }, 'listening')
  if (!production && mode === 'full') process.stdout.write(welcome(url, config))
}

const welcome = (url: string, { relaxations, docs, passwordMinLength }: Config): string => `
  stateless-auth on ${url}
  Relaxed for development: ${relaxations.join(', ') || 'nothing'}
  API reference: ${docs ? `${url}/docs` : 'off (DOCS=true)'}
  Try it (passwords have ${passwordMinLength} characters or more):

    curl -s ${url}/v1/auth/register -H 'content-type: application/json' -d '{"email":"ada@example.com","password":"a long enough pass phrase"}'

`
