#!/usr/bin/env -S node --min-semi-space-size=4 --max-semi-space-size=4
import { enableCompileCache } from 'node:module'
import { availableParallelism } from 'node:os'

// A worker's share of the hashes is for the primary to say, unless the operator did.
const env = { ...process.env }
// Read once, at the first use of the pool: hashes (cores - 1), and four for files, DNS and what libraries do.
process.env['UV_THREADPOOL_SIZE'] ??= String(Math.max(1, availableParallelism() - 1) + 4)
enableCompileCache()

const { run } = await import('./run.ts')
process.exitCode = await run(process.argv.slice(2), env)
