import { printableConfig } from '../config.ts'
import { MISUSED, type Command } from './command.ts'
import { configFrom } from './settings.ts'

export const config: Command = async ([what], env) => {
  if (what !== 'check' && what !== 'print') return MISUSED
  const values = configFrom(env)
  if (what === 'check') process.stdout.write('The configuration is good.\n')
  else process.stdout.write(Object.entries(printableConfig(values)).map(([name, value]) => `${name}=${value}\n`).join(''))
  return 0
}
