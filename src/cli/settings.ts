import { readFileSync } from 'node:fs'
import { loadConfig, type Config } from '../config.ts'

export const configFrom = (env: Readonly<Record<string, string | undefined>>): Config => loadConfig(env, path => readFileSync(path, 'utf8'))
