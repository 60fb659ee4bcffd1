import { generateKeyPairSync, hash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { calculateJwkThumbprint } from 'jose'
import t from 'tap'
import { cli, refusedBecause } from '../helpers/cli.ts'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { temporaryFolder } from '../helpers/own-postgres.ts'

const database = await freshDatabase(t)
const sql = await sqlTo(t, database)
const env = { DATABASE_URL: database }
const folder = await temporaryFolder(t)

/** A file with a key set, as an operator would have it. */
async function keySet (name: string, content: unknown): Promise<string> {
  const file = join(folder, `${name}.json`)
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content))
  return file
}
const rsa = (modulusLength = 2048, publicExponent = 65_537) => generateKeyPairSync('rsa', { modulusLength, publicExponent }).publicKey.export({ format: 'jwk' })
const ec = (namedCurve = 'P-256') => generateKeyPairSync('ec', { namedCurve })
const publicEc = ec().publicKey.export({ format: 'jwk' })

t.test('a client gets a secret that is shown once and stored as a digest', async t => {
  const { code, stdout, stderr } = await cli(t, ['clients', 'create', '--name', 'Billing', '--scope', 'invoices:read invoices:write invoices:read'], env)
  t.strictSame([code, stderr], [0, ''])
  const [, id, secret] = /^client_id=([0-9a-f-]{36})\nclient_secret=([A-Za-z0-9_-]{43})\n$/.exec(stdout) as unknown as [string, string, string]
  t.strictSame(await sql('SELECT id, name, secret_digest, jwks, scopes, disabled_at FROM client'), [
    { id, name: 'Billing', secret_digest: hash('sha256', secret, 'buffer'), jwks: null, scopes: ['invoices:read', 'invoices:write'], disabled_at: null },
  ])
  const listed = await cli(t, ['clients', 'list'], env)
  t.match(listed.stdout, new RegExp(`^${id}\tBilling\tsecret\tinvoices:read invoices:write\t\\d{4}-\\d\\d-\\d\\d\tactive\n$`))
  t.notOk(listed.stdout.includes(secret))
})

t.test('a client with keys of its own gets no secret; what is kept are public members, and a kid that was missing', async t => {
  const named = { ...rsa(), kid: 'mine', alg: 'PS256', key_ops: ['verify'], x5c: ['AAAA'] }
  const { code, stdout } = await cli(t, ['clients', 'create', '--name', 'Signer', '--jwks', await keySet('good', { keys: [publicEc, named] })], env)
  t.equal(code, 0)
  t.match(stdout, /^client_id=\S+\n$/)
  const [{ jwks }] = await sql<{ jwks: { keys: object[] } }>('SELECT jwks FROM client WHERE name = \'Signer\'') as [{ jwks: { keys: object[] } }]
  const { n, e } = named
  t.strictSame(jwks.keys, [
    { ...publicEc, kid: await calculateJwkThumbprint(publicEc as never), use: 'sig', alg: 'ES256' }, { kty: 'RSA', n, e, kid: 'mine', use: 'sig', alg: 'PS256' },
  ])
})

t.test('a key that others could sign with, or that has been passed around, is refused with one sentence', async t => {
  const weak: Record<string, [unknown, RegExp]> = {
    'a private key': [{ keys: [ec().privateKey.export({ format: 'jwk' })] }, /private or symmetric/],
    'a symmetric key': [{ keys: [{ kty: 'oct', k: 'AAAA' }] }, /private or symmetric/],
    'RSA of 1024 bits': [{ keys: [rsa(1024)] }, /has 1024 bits/],
    'RSA with exponent 3': [{ keys: [rsa(2048, 3)] }, /exponent/],
    'RSA with exponent 1': [{ keys: [{ ...rsa(), e: 'AQ' }] }, /exponent|valid/],
    'another curve': [{ keys: [ec('P-384').publicKey.export({ format: 'jwk' })] }, /must be P-256/],
    'a point off the curve': [{ keys: [{ ...publicEc, y: publicEc.x }] }, /not a valid public key/],
    'an algorithm of another kind': [{ keys: [{ ...publicEc, alg: 'RS256' }] }, /must be P-256/],
    HS256: [{ keys: [{ ...rsa(), alg: 'HS256' }] }, /must be P-256/],
    'a key for encryption': [{ keys: [{ ...publicEc, use: 'enc' }] }, /not for signatures/],
    'a kid that is a path': [{ keys: [{ ...publicEc, kid: '../key' }] }, /kid/],
    'one kid twice': [{ keys: [{ ...publicEc, kid: 'a' }, { ...rsa(), kid: 'a' }] }, /same kid/],
    'no key': [{ keys: [] }, /1 to 16 keys/],
    'too many keys': [{ keys: Array.from({ length: 17 }, () => publicEc) }, /1 to 16 keys/],
    'a single key': [publicEc, /1 to 16 keys/],
    'a list': [[publicEc], /1 to 16 keys/],
    null: ['null', /1 to 16 keys/],
    'no JSON': ['{', /not JSON/],
    'keys that are none': [{ keys: [null] }, /not an object/],
  }
  const before = await sql('SELECT count(*) FROM client')
  for (const [name, [content, reason]] of Object.entries(weak)) {
    await t.test(name, async t => refusedBecause(t, await cli(t, ['clients', 'create', '--name', 'x', '--jwks', await keySet(name.replaceAll(' ', '-'), content)], env), reason))
  }
  await t.test('a file that is not there', async t => refusedBecause(t, await cli(t, ['clients', 'create', '--name', 'x', '--jwks', join(folder, 'gone')], env), /cannot be read \(ENOENT\)/))
  t.strictSame(await sql('SELECT count(*) FROM client'), before)
})

t.test('no client gets a scope of users, or one that is none', async t => {
  const refused: Record<string, RegExp> = {
    account: /for users/, 'invoices admin': /for users/, 'a  b': /RFC 6749/, ' a': /RFC 6749/, 'a"b': /RFC 6749/, 'a\\b': /RFC 6749/, é: /RFC 6749/, 'a\nb': /RFC 6749/,
    [Array.from({ length: 33 }, (_, at) => `s${at}`).join(' ')]: /at most 32/, ['x'.repeat(129)]: /RFC 6749/,
  }
  for (const [scope, reason] of Object.entries(refused)) {
    await t.test(JSON.stringify(scope).slice(0, 20), async t => refusedBecause(t, await cli(t, ['clients', 'create', '--name', 'x', '--scope', scope], env), reason))
  }
  await t.test('a name of two lines', async t => refusedBecause(t, await cli(t, ['clients', 'create', '--name', 'a\nb'], env), /one line/))
  for (const args of [['create'], ['create', '--name'], ['create', '--name', 'x', '--secret', 'mine'], ['create', 'x'], ['delete'], ['list', 'x'], []]) t.equal((await cli(t, ['clients', ...args], env)).code, 2, args.join(' '))
})

t.test('deleting a client announces the end of its tokens in the same statement; there is nothing to delete twice', async t => {
  const id = /client_id=(\S+)/.exec((await cli(t, ['clients', 'create', '--name', 'Short-lived'], env)).stdout)![1]!
  t.match(await cli(t, ['clients', 'delete', id], env), { code: 0, stdout: `deleted ${id}; its tokens have ended\n` })
  const entries = 'SELECT kind, id, val FROM revocation'
  t.strictSame(await sql(entries), [{ kind: 'u', id: hash('sha256', `u:${id}`, 'buffer').subarray(0, 12), val: 2_147_483_647 }])
  for (const gone of [id, 'x', '01930f4e-8a3b-7c2d-9e1f-0a1b2c3d4e5f']) await t.test(gone, async t => refusedBecause(t, await cli(t, ['clients', 'delete', gone], env), /There is no client/))
  t.equal((await sql(entries)).length, 1)
  t.match((await cli(t, ['clients', 'list'], env)).stdout, new RegExp(`^${id}\tShort-lived\tsecret\t-\t.*\tdeleted$`, 'm'), 'its name stays, for who reads the logs')
})
