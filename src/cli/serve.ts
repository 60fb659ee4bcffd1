import { startServer } from '../server.ts'
import type { Command } from './command.ts'
import { configFrom } from './settings.ts'

export const serve: Command = async (_args, env) => {
  const config = configFrom(env)
  const stopping = nextSignal()
  const server = await startServer(config)
  if (!config.production && config.mode === 'full') process.stdout.write(welcome(server.url, config.relaxations, config.docs, config.passwordMinLength))
  await stopping
  // A second Ctrl-C means now.
  nextSignal().then(() => process.exit(130))
  await server.stop()
  return 0
}

const nextSignal = (): Promise<void> => new Promise(resolve => {
  const handler = () => {
    process.off('SIGINT', handler)
    process.off('SIGTERM', handler)
    resolve()
  }
  process.on('SIGINT', handler)
  process.on('SIGTERM', handler)
})

const welcome = (url: string, relaxations: readonly string[], docs: boolean, minLength: number): string => `
  stateless-auth on ${url}
  Relaxed for development: ${relaxations.join(', ') || 'nothing'}
  API reference: ${docs ? `${url}/docs` : 'off (DOCS=true)'}
  Try it (passwords have ${minLength} characters or more):

    curl -s ${url}/v1/auth/register -H 'content-type: application/json' -d '{"email":"ada@example.com","password":"a long enough pass phrase"}'

`
