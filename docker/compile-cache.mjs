// Run while the image is built, with NODE_COMPILE_CACHE set: starts the service that the image will start, on a database of its own, and has it
// answer what people ask, so that V8's code for it is in the cache. Then loads all else that is in dist: if docker/prune-modules.mjs
// took something that is needed, or a file cannot be loaded, the build ends here.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { flushCompileCache } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const [build] = process.argv.slice(2)
const { freePort, startEmbedded } = await import(join(build, 'src/db/embedded/start.ts'))
const folder = await mkdtemp(join(tmpdir(), 'compile-cache-'))
const database = await startEmbedded(folder)
const key = `build:${randomBytes(32).toString('base64')}`
try {
  // The second time the database is as nearly every start finds it.
  for (let start = 0; start < 2; start++) await useOnce()
} finally {
  await database.stop()
  await rm(folder, { recursive: true })
}

const dist = new URL('../dist/', import.meta.url)
const files = (await readdir(dist)).filter(file => file.endsWith('.js'))
for (const file of files) await import(new URL(file, dist))
await import('@scalar/fastify-api-reference')
flushCompileCache()
console.log(`${files.length} files load; the cache is in ${process.env.NODE_COMPILE_CACHE ?? '(off)'}`)

async function useOnce () {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const env = {
    ...process.env, NODE_ENV: 'production', HOST: '127.0.0.1', PORT: String(port), PUBLIC_URL: url, DATABASE_URL: database.url, KEY_ENCRYPTION_KEY: key,
    MAIL_URL: 'smtp://127.0.0.1:9', REQUIRE_VERIFIED_EMAIL: 'false', LOG_LEVEL: 'warn', DRAIN_SECONDS: '0', METRICS_PORT: '0',
  }
  const service = spawn(process.execPath, [...process.execArgv, 'dist/cli/main.js', 'serve'], { env, stdio: 'inherit' })
  const ended = once(service, 'exit')
  try {
    for (let waited = 0; ; waited += 50) {
      if (service.exitCode !== null || waited > 60_000) throw new Error('the service did not start')
      if (await fetch(`${url}/readyz`).then(({ ok }) => ok, () => false)) break
      await sleep(50)
    }
    const account = { email: `${randomBytes(6).toString('hex')}@example.com`, password: 'a long enough pass phrase' }
    await ask('POST', '/v1/auth/register', 201, account)
    const { access_token: bearer, refresh_token } = await ask('POST', '/v1/auth/login', 200, { ...account, refresh: 'body' })
    await ask('GET', '/v1/auth/verify', 200, null, { authorization: `Bearer ${bearer}` })
    await ask('POST', '/v1/auth/refresh', 200, { refresh_token })
    await ask('GET', '/.well-known/jwks.json', 200)
    await ask('GET', '/nowhere', 404)
  } finally {
    service.kill('SIGTERM')
  }
  const [code] = await ended
  if (code !== 0) throw new Error(`the service ended with ${code}`)

  async function ask (method, path, expected, body = null, headers = {}) {
    const answer = await fetch(url + path, { method, headers: { ...headers, ...(body && { 'content-type': 'application/json' }) }, body: body && JSON.stringify(body) })
    const text = await answer.text()
    if (answer.status !== expected) throw new Error(`${method} ${path} answered ${answer.status} ${text}`)
    return JSON.parse(text)
  }
}
