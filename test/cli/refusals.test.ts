import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import t from 'tap'
import { cli, refusedBecause } from '../helpers/cli.ts'
import { freshDatabase } from '../helpers/database.ts'
import { postgresOfVersion } from '../helpers/old-postgres.ts'
import { testEnvironment, world } from '../helpers/world.ts'

const kek = (bytes: Buffer = randomBytes(32), id = 'k') => `${id}:${bytes.toString('base64')}`

async function listener (t: { teardown: (work: () => unknown) => void }): Promise<number> {
  const server = createServer(socket => { socket.on('error', () => {}); t.teardown(() => { socket.destroy() }) }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  return (server.address() as AddressInfo).port
}

t.test('production does not start without a database, a key-encryption key and a mail server, and names all at once', async t => {
  const { code, stderr } = await cli(t, ['serve'], { NODE_ENV: 'production', PUBLIC_URL: 'https://auth.example.com' })
  t.equal(code, 1)
  t.equal(stderr.trim().split('\n').length, 4)
  t.match(stderr, /DATABASE_URL is required in production/)
  t.match(stderr, /KEY_ENCRYPTION_KEY is required in production/)
  t.match(stderr, /MAIL_URL is required in production/)
})

t.test('a misspelt setting is refused with the name that was meant', async t => {
  refusedBecause(t, await cli(t, ['serve'], { DATABASE_URI: 'postgresql://localhost/auth' }), /DATABASE_URI is not a setting; did you mean DATABASE_URL\?/)
})

t.test('a key-encryption key that could be guessed is refused', async t => {
  const weak = {
    'a word': 'secret',
    'a word with an id': 'k:secret',
    'one byte too few': kek(randomBytes(31)),
    'one byte too many': kek(randomBytes(33)),
    zeroes: kek(Buffer.alloc(32)),
    'one pattern over and over': kek(Buffer.from('deadbeef'.repeat(8), 'hex')),
    'a sentence': kek(Buffer.from('correct-horse-battery-staple-123')),
    'a published example': kek(Buffer.from('your-256-bit-secret-goes-in-here')),
    'a good key beside a bad one': `${kek()},${kek(Buffer.alloc(32), 'old')}`,
  }
  await Promise.all(Object.entries(weak).map(async ([what, value]) => {
    const ended = await cli(t, ['config', 'check'], { KEY_ENCRYPTION_KEY: value })
    refusedBecause(t, ended, /KEY_ENCRYPTION_KEY (must be|has a key)/)
    t.notOk(ended.stderr.includes(value.split(':').at(-1)!), `${what}, which is not repeated`)
  }))
  t.equal((await cli(t, ['config', 'check'], { KEY_ENCRYPTION_KEY: kek() })).code, 0, 'a random one is good')
})

t.test('a port that is taken', async t => {
  const port = await listener(t)
  refusedBecause(t, await cli(t, ['serve'], { ...testEnvironment(await freshDatabase(t)), PORT: String(port) }), new RegExp(`Port ${port} on 127\\.0\\.0\\.1 is taken`))
})

t.test('a database that cannot be reached, does not answer, or does not know us', async t => {
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const { port } = closed.address() as AddressInfo
  closed.close()
  const real = new URL(await freshDatabase(t))
  const stranger = Object.assign(new URL(real), { password: 'not-the-password' }).href
  const elsewhere = Object.assign(new URL(real), { pathname: '/no_such_database' }).href
  const attempts: [string, RegExp][] = [
    [`postgresql://postgres:hunter2@127.0.0.1:${port}/auth`, /cannot be reached: .*ECONNREFUSED/],
    [`postgresql://postgres:hunter2@127.0.0.1:${await listener(t)}/auth`, /cannot be reached: .*timeout/],
    [stranger, /cannot be reached: password authentication failed/],
    [elsewhere, /cannot be reached: database "no_such_database" does not exist/],
  ]
  await Promise.all(attempts.map(async ([url, reason]) => {
    const ended = await cli(t, ['serve'], testEnvironment(url))
    refusedBecause(t, ended, reason)
    t.notOk((ended.stdout + ended.stderr).includes(new URL(url).password), 'without the password')
  }))
})

t.test('a database that is too old', async t => {
  refusedBecause(t, await cli(t, ['serve'], testEnvironment(await postgresOfVersion(t, 13))), /PostgreSQL 14 or newer is needed; this server is 13\./)
})

t.test('the key-encryption key of another installation, and a slot length that was changed', async t => {
  const secret = randomBytes(32)
  const { databaseUrl } = await world(t, { KEY_ENCRYPTION_KEY: kek(secret, 'ours') })
  const start = async (env: Record<string, string>) => await cli(t, ['serve'], { ...testEnvironment(databaseUrl, kek(secret, 'ours')), ...env })
  refusedBecause(t, await start({ KEY_ENCRYPTION_KEY: kek(randomBytes(32), 'theirs') }), /sealed under the key-encryption key "ours", which KEY_ENCRYPTION_KEY does not contain/)
  refusedBecause(t, await start({ KEY_ENCRYPTION_KEY: kek(randomBytes(32), 'ours') }), /KEY_ENCRYPTION_KEY has another "ours" than the one that sealed/)
  refusedBecause(t, await start({ KEY_SLOT_SECONDS: '86400' }), /KEY_SLOT_SECONDS is 86400, but this installation was started with 2592000; it cannot change/)
})

t.test('a command that does not exist, and none at all', async t => {
  const unknown = await cli(t, ['sevre'])
  t.equal(unknown.code, 2)
  t.match(unknown.stderr, /There is no command "sevre"[^]*Usage/)
  t.match(await cli(t, []), { code: 0, stdout: /Usage: stateless-auth/, stderr: '' })
  for (const incomplete of ['migrate', 'keys', 'config']) t.match(await cli(t, [incomplete]), { code: 2, stderr: /Usage/ })
})
