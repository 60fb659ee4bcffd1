// Run while the image is built, with NODE_COMPILE_CACHE set: loads all that the service loads and has it answer a few
// requests without a database, so that V8's code for it is in the cache. It also proves that docker/prune-modules.mjs
// took nothing that is needed: a module that is missing ends the build.
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { flushCompileCache } from 'node:module'

const dist = new URL('../dist/', import.meta.url)
// main.js would run a command; the embedded database is for development.
const files = readdirSync(dist, { recursive: true }).filter(file => file.endsWith('.js') && file !== 'cli/main.js' && !/(^|\/)browser\.js$|prismaNamespaceBrowser/.test(file))
for (const file of files) await import(new URL(file, dist))

const [{ buildApp }, { loadConfig }, { createLog }, { systemClock }, { openDatabase }, { Passwords }, { Revocations }] = await Promise.all(
  ['app', 'config', 'log', 'lib/clock', 'db/client', 'core/passwords/hash', 'core/revocations/live'].map(name => import(new URL(`${name}.js`, dist))))

const environment = { NODE_ENV: 'production', DATABASE_URL: 'postgresql://nobody@127.0.0.1:9/none', KEY_ENCRYPTION_KEY: `build:${randomBytes(32).toString('base64')}`, PUBLIC_URL: 'http://localhost:3000', MAIL_URL: 'smtp://127.0.0.1:9', LOG_LEVEL: 'silent' }
const config = loadConfig(environment, () => '')
const log = createLog(config)
const { db, close } = openDatabase(config.databaseUrl, { log })
const passwords = new Passwords(config)
await passwords.selfTest()
const ctx = { config, clock: systemClock, log, db, passwords, revocations: new Revocations({ db, log }) }
for (const docs of [true, false]) {
  const app = await buildApp({ ...ctx, config: { ...config, docs } })
  const statuses = []
  for (const url of ['/livez', '/readyz', '/v1/auth/verify', '/nowhere']) statuses.push((await app.inject(url)).statusCode)
  if (statuses.join() !== '200,200,401,404') throw new Error(`the probes answered ${statuses.join()}`)
  await app.close()
}
// There is no database to ask, but everything up to it is loaded by then, the query compiler too.
await db.$queryRaw`SELECT 1`.then(() => { throw new Error('there should be no database here') }, () => {})
await close()
flushCompileCache()
console.log(`${files.length} modules load; the cache is in ${process.env.NODE_COMPILE_CACHE ?? '(off)'}`)
