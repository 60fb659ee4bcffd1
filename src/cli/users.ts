import { MISUSED, type Command } from './command.ts'

const commands: Record<string, () => Promise<Command>> = {
  create: async () => (await import('./users-create.ts')).createUser,
  disable: async () => (await import('./users-disable.ts')).disable,
  export: async () => (await import('./users-export.ts')).exportAccounts,
  import: async () => (await import('./users-import.ts')).importAccounts,
}

export const users: Command = async ([what = '', ...args], env) =>
  Object.hasOwn(commands, what) ? await (await commands[what]!())(args, env) : MISUSED
