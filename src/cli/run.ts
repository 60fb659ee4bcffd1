import { StartError } from '../errors.ts'
import { MISUSED, type Command, type Environment } from './command.ts'

const commands: Record<string, { usage: string, load: () => Promise<Command> }> = {
  serve: { usage: 'serve                  start the service (migrates the database first)', load: async () => (await import('./serve.ts')).serve },
  migrate: { usage: 'migrate up|status      apply or list the migrations of this build', load: async () => (await import('./migrate.ts')).migrate },
  keys: { usage: 'keys list|rotate|revoke KID\n                         signing keys and what each does; put a new one in its place; end one that may have leaked', load: async () => (await import('./keys.ts')).keys },
  sessions: { usage: 'sessions revoke-all    end every session of everybody', load: async () => (await import('./sessions.ts')).sessions },
  users: {
    usage: `users create --email E [--name N] [--role R …]
                         make an account, and a link to set its password
  users import FILE|- [--dry-run] [--report FILE] [--batch N]
                         accounts from elsewhere, one JSON object a line; run again, it goes on
  users export [--with-hashes]
                         every account in the same form
  users disable --email E
                         close an account and end its sessions`, load: async () => (await import('./users.ts')).users
  },
  clients: { usage: 'clients create --name N [--scope "A B"] [--jwks FILE] | list | delete ID\n                         services that call this one; a secret is shown once', load: async () => (await import('./clients.ts')).clients },
  audit: { usage: 'audit export [--since T] [--until T] [--user ID|EMAIL]\n                         what happened, one line of JSON an event', load: async () => (await import('./audit.ts')).audit },
  state: { usage: 'state                  what is stored: rows and bytes of every table, and what bounds it', load: async () => (await import('./state.ts')).state },
  mail: { usage: 'mail resend            try again to send what was given up', load: async () => (await import('./mail.ts')).mail },
  config: { usage: 'config check|print     judge the environment; print it with secrets redacted', load: async () => (await import('./config.ts')).config },
}

const usage = `Usage: stateless-auth <command>\n\n${Object.values(commands).map(command => `  ${command.usage}`).join('\n')}\n`

export async function run ([name, ...args]: readonly string[], env: Environment): Promise<number> {
  const command = Object.hasOwn(commands, name ?? '') ? commands[name!] : undefined
  if (!command) {
    const asked = name === undefined || name === '--help' || name === 'help'
    process[asked ? 'stdout' : 'stderr'].write(asked ? usage : `There is no command "${name}".\n\n${usage}`)
    return asked ? 0 : MISUSED
  }
  try {
    const code = await (await command.load())(args, env)
    if (code === MISUSED) process.stderr.write(usage)
    return code
  } catch (error) {
    // What an operator can mend is one sentence; anything else is ours, and shows where.
    process.stderr.write(error instanceof StartError ? `${error.message}\n` : `${(error as Error).stack ?? String(error)}\n`)
    return 1
  }
}
