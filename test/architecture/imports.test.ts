import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import t from 'tap'

const CONFIG = resolve('.dependency-cruiser.cjs')
const CRUISER = resolve('node_modules/dependency-cruiser/bin/dependency-cruise.mjs')

type Violation = { from: string, rule: { name: string } }

async function violations (folder: string): Promise<Violation[]> {
  const output = await new Promise<string>((resolve, reject) => {
    execFile(process.execPath, [CRUISER, '--config', CONFIG, '--output-type', 'json', 'src'], { cwd: folder, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout) => { if (stdout === '') reject(error ?? new Error('no output')); else resolve(stdout) })
  })
  const { summary } = JSON.parse(output) as { summary: { violations: Violation[], totalCruised: number } }
  if (summary.totalCruised === 0) throw new Error('nothing was looked at')
  return summary.violations
}

/** Rule → a file and what it must not import. The forbidden targets are in TARGETS, or packages. */
const plants: Record<string, [file: string, code: string]> = {
  'no-circular': ['src/core/planted-circle.ts', "export { back } from './planted-to.ts'"],
  resolvable: ['src/core/planted-nowhere.ts', "export { gone } from './gone.ts'"],
  'no-development-dependencies': ['src/core/planted-dev.ts', "export { parse } from 'yaml'"],
  'layer-lib': ['src/lib/planted.ts', "export { value } from '../errors.ts'"],
  'layer-db': ['src/db/planted.ts', "export { value } from '../core/users/store.ts'"],
  'layer-sdk': ['src/sdk/planted.ts', "export { value } from '../lib/clock.ts'"],
  'sdk-runs-anywhere': ['src/sdk/planted-builtin.ts', "export { hash } from 'node:crypto'"],
  'layer-client': ['src/sdk/client/planted.ts', "export { value } from '../../lib/clock.ts'"],
  'client-runs-in-pages': ['src/sdk/client/planted-package.ts', "export { decodeJwt } from 'jose'"],
  'layer-core': ['src/core/planted.ts', "export { value } from '../http/problem.ts'"],
  'layer-context': ['src/context.ts', "export { value } from './http/problem.ts'"],
  'layer-http': ['src/http/planted.ts', "export { value } from '../features/other/rule.ts'"],
  'layer-features': ['src/features/planted/up.ts', "export { value } from '../../app.ts'"],
  'layer-jobs': ['src/jobs/planted.ts', "export { value } from '../http/problem.ts'"],
  'layer-metrics': ['src/metrics/planted.ts', "export { value } from '../core/users/store.ts'"],
  'layer-telemetry': ['src/telemetry/planted.ts', "export { value } from '../core/users/store.ts'"],
  'telemetry-on-demand': ['src/cli/planted-telemetry.ts', "export { value } from '../telemetry/start.ts'"],
  'layer-app': ['src/app.ts', "export { value } from './jobs/purge.ts'"],
  'layer-server': ['src/server.ts', "export { value } from './cli/main.ts'"],
  'layer-prepare-database': ['src/prepare-database.ts', "export { value } from './core/users/store.ts'"],
  'layer-cli': ['src/cli/planted.ts', "export { value } from '../app.ts'"],
  'layer-dev-settings': ['src/dev-settings.ts', "export { value } from './log.ts'"],
  'layer-config': ['src/config.ts', "export { value } from './lib/clock.ts'"],
  'layer-log': ['src/log.ts', "export { value } from './lib/clock.ts'"],
  'layer-leaves': ['src/errors.ts', "export { value } from './lib/clock.ts'"],
  'lib-is-pure': ['src/lib/planted-io.ts', "export { readFile } from 'node:fs/promises'"],
  'features-apart': ['src/features/planted/sideways.ts', "export { value } from '../other/rule.ts'"],
  'fastify-in-http': ['src/core/planted-fastify.ts', "export type { FastifyRequest } from 'fastify'"],
  'fastify-in-routes': ['src/features/planted/rule.ts', "export type { FastifyRequest } from 'fastify'"],
  'context-as-type': ['src/features/planted/context.ts', "export { value } from '../../context.ts'"],
  'database-as-type': ['src/features/planted/database.ts', "export { value } from '../../db/client.ts'"],
  'verifier-without-database': ['src/core/upstream/planted.ts', "export { value } from '../users/store.ts'"],
  'home-of-argon2': ['src/core/users/planted-hash.ts', "export { hash } from 'argon2'"],
  'home-of-bcrypt': ['src/core/users/planted-bcrypt.ts', "export { compare } from 'bcrypt'"],
  'home-of-fastify-jwt': ['src/http/planted-jwt.ts', "export { default } from '@fastify/jwt'"],
  'home-of-fast-jwt': ['src/core/users/planted-jwt.ts', "export { createSigner } from 'fast-jwt'"],
  'home-of-nodemailer': ['src/core/users/planted-mail.ts', "export { createTransport } from 'nodemailer'"],
  'home-of-pg-boss': ['src/core/users/planted-jobs.ts', "export { PgBoss } from 'pg-boss'"],
  'home-of-rate-limiter-flexible': ['src/core/users/planted-limits.ts', "export { RateLimiterPostgres } from 'rate-limiter-flexible'"],
  'home-of-opentelemetry': ['src/core/users/planted-otel.ts', "export { trace } from '@opentelemetry/api'"],
  'home-of-pg': ['src/core/users/planted-pg.ts', "export { Pool } from 'pg'"],
  'home-of-generated-prisma': ['src/core/users/planted-prisma.ts', "export { value } from '../../db/generated/client.ts'"],
}

/** What may be imported from its home: the same tree proves that the rules forbid no more than they say. */
const allowed: Record<string, string> = {
  'src/sdk/fine.ts': "export { jwtVerify } from 'jose'",
  'src/sdk/client/fine.ts': "export { default } from 'openapi-fetch'",
  'src/lib/fine.ts': "export { hash } from 'node:crypto'",
  'src/core/passwords/hash.ts': "export { hash } from 'argon2'",
  'src/core/tokens/fine.ts': "export { createSigner } from 'fast-jwt'",
  'src/http/authenticate.ts': "export { default } from '@fastify/jwt'\nexport type { value } from '../context.ts'",
  'src/features/fine/routes.ts': "export type { FastifyInstance } from 'fastify'\nexport { value } from './rule.ts'\nexport type { Context } from '../../context.ts'",
  'src/features/fine/rule.ts': "export { value } from '../../core/users/store.ts'\nexport type { Db } from '../../db/client.ts'",
  'src/cli/fine.ts': "export type { value } from '../telemetry/start.ts'\nexport const load = async () => await import('../telemetry/start.ts')",
  'src/core/sessions/store.ts': "export { value } from '../../db/generated/client.ts'",
}

const TARGETS = ['src/telemetry/start.ts', 'src/core/users/store.ts', 'src/http/problem.ts', 'src/features/other/rule.ts', 'src/jobs/purge.ts', 'src/cli/main.ts', 'src/lib/clock.ts',
  'src/db/client.ts', 'src/db/generated/client.ts']

t.test('no file of ours imports what its layer must not', async t => {
  t.strictSame((await violations('.')).map(({ from, rule }) => `${from}: ${rule.name}`), [])
})

t.test('a planted import of each forbidden kind is named by its rule and by no other', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'imports-'))
  t.teardown(async () => await rm(folder, { recursive: true }))
  await symlink(resolve('node_modules'), join(folder, 'node_modules'))
  await copyFile('package.json', join(folder, 'package.json'))
  const files: Record<string, string> = {
    ...Object.fromEntries(TARGETS.map(file => [file, 'export const value = 1'])),
    'src/core/planted-to.ts': "import './planted-circle.ts'\nexport const back = 1",
    ...allowed,
    ...Object.fromEntries(Object.values(plants)),
  }
  for (const [file, code] of Object.entries(files)) {
    await mkdir(dirname(join(folder, file)), { recursive: true })
    await writeFile(join(folder, file), `${code}\n`)
  }
  const found = await violations(folder)
  const named = (file: string) => found.filter(({ from }) => from === file).map(({ rule }) => rule.name)
  for (const [rule, [file]] of Object.entries(plants)) t.strictSame(named(file), [rule], `${file} breaks ${rule}`)
  const plantedFiles = [...Object.values(plants).map(([file]) => file), 'src/core/planted-to.ts']
  t.strictSame(found.filter(({ from }) => !plantedFiles.includes(from)), [], 'and what is in its home is not accused')
})

t.test('every rule has a planted violation', async t => {
  const { forbidden } = createRequire(import.meta.url)(CONFIG) as { forbidden: { name: string }[] }
  t.strictSame(forbidden.map(({ name }) => name).sort(), Object.keys(plants).sort())
})
