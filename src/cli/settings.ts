import { readFileSync } from 'node:fs'
import { loadConfig, type Config } from '../config.ts'
import { StartError } from '../errors.ts'

/** For commands that work on the database. */
export function databaseConfigFrom (env: Readonly<Record<string, string | undefined>>): Config {
  const config = configFrom(env)
  if (config.mode === 'verifier') throw new StartError('A node with MODE=verifier has no database; run this command where the service has one.')
  return config
}

export const configFrom = (env: Readonly<Record<string, string | undefined>>): Config => loadConfig(env, path => readFileSync(path, 'utf8'))
