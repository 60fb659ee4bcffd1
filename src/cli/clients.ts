import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { COMMAND_LINE } from '../core/audit/events.ts'
import { registerClient } from '../core/clients/register.ts'
import { deleteClient, listClients } from '../core/clients/store.ts'
import { AppError, StartError } from '../errors.ts'
import { isUuid } from '../lib/ids.ts'
import { MISUSED, type Command, type Environment } from './command.ts'
import { withDatabase } from './with-database.ts'

export const clients: Command = async ([what, ...rest], env) => {
  if (what === 'create') return await create(rest, env)
  if (what === 'list' && rest.length === 0) return await list(env)
  if (what === 'delete' && rest.length === 1) return await remove(rest[0]!, env)
  return MISUSED
}

/** Two lines that a shell or an environment file can take. The secret is printed this once, and kept nowhere. */
async function create (args: string[], env: Environment): Promise<number> {
  const given = options(args)
  if (given?.name === undefined) return MISUSED
  const { name, scope = '', jwks: file } = given
  const jwks = file === undefined ? undefined : read(file)
  return await withDatabase(env, async deps => {
    const { id, secret } = await registerClient(deps, { name, scope, jwks }, COMMAND_LINE).catch((error: unknown) => {
      throw error instanceof AppError ? new StartError(error.message) : error
    })
    process.stdout.write(`client_id=${id}\n${secret === null ? '' : `client_secret=${secret}\n`}`)
    return 0
  })
}

function options (args: string[]): { name?: string, scope?: string, jwks?: string } | null {
  try {
    return parseArgs({ args, options: { name: { type: 'string' }, scope: { type: 'string' }, jwks: { type: 'string' } } }).values
  } catch { return null }
}

function read (file: string): string {
  try { return readFileSync(file, 'utf8') } catch (error) {
    throw new StartError(`The key set ${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'}).`)
  }
}

/** One line a client, nothing secret. */
const list = async (env: Environment): Promise<number> => await withDatabase(env, async ({ db }) => {
  for (const { id, name, jwks, scopes, created_at: createdAt, disabled_at: disabledAt } of await listClients(db)) {
    process.stdout.write([id, name, jwks ? `keys ${jwks.keys.map(({ kid }) => kid).join(' ')}` : 'secret', scopes.join(' ') || '-', createdAt.toISOString().slice(0, 10), disabledAt ? 'deleted' : 'active'].join('\t') + '\n')
  }
  return 0
})

/** Its credentials and the tokens it holds are refused by every node within a second. */
const remove = async (id: string, env: Environment): Promise<number> => await withDatabase(env, async deps => {
  if (!isUuid(id) || !await deleteClient(deps, id, COMMAND_LINE)) throw new StartError(`There is no client "${id}"; \`clients list\` shows them.`)
  process.stdout.write(`deleted ${id}; its tokens have ended\n`)
  return 0
})
