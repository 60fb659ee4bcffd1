import t from 'tap'
import { loadConfig } from '../../src/config.ts'
import { MAX_LINE_BYTES, readLines } from '../../src/core/users/import/lines.ts'
import { readLine, Refusal } from '../../src/core/users/import/read-line.ts'
import { testEnvironment } from '../helpers/world.ts'

const config = loadConfig(testEnvironment('postgresql://localhost/x'), () => '')
const now = Date.UTC(2026, 10, 24)
const read = (text: string | Buffer) => readLine({ number: 1, bytes: Buffer.from(text as string) }, { config, now })
const line = (more: object = {}) => JSON.stringify({ email: 'ada@example.com', ...more })

/** The refusal of a line; what it has there must not be in it. */
function refusal (text: string | Buffer): Refusal {
  try { read(text) } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
  throw new Error(`accepted: ${text.toString().slice(0, 200)}`)
}

async function linesOf (chunks: Iterable<Buffer>): Promise<[number, string | null][]> {
  const found: [number, string | null][] = []
  for await (const lines of readLines((async function * () { yield * chunks })())) for (const { number, bytes } of lines) found.push([number, bytes && bytes.toString()])
  return found
}

t.test('lines are the same however the stream is cut', async t => {
  const text = Buffer.from('{"a":1}\r\n\n{"b":"\u00fc"}\n{"c":3}')
  const expected = [[1, '{"a":1}\r'], [2, ''], [3, '{"b":"\u00fc"}'], [4, '{"c":3}']]
  for (const size of [1, 2, 3, 7, 100]) {
    const chunks = Array.from({ length: Math.ceil(text.length / size) }, (_, n) => text.subarray(n * size, (n + 1) * size))
    t.strictSame(await linesOf(chunks), expected, `${size} bytes at a time`)
  }
  t.strictSame(await linesOf([]), [])
})

t.test('a line of a gigabyte is one refused line, takes no memory, and the next one is read', async t => {
  const chunk = Buffer.alloc(1_048_576, 'x')
  const before = process.memoryUsage().rss
  const lines = await linesOf((function * () { for (let n = 0; n < 1_024; n++) yield chunk; yield Buffer.from(`\n${line()}\n`) })())
  t.strictSame(lines, [[1, null], [2, line()]])
  t.ok(process.memoryUsage().rss - before < 100_000_000)
  t.strictSame((await linesOf([Buffer.alloc(MAX_LINE_BYTES, 'y'), Buffer.from('\nz')])).map(([, text]) => text?.length), [MAX_LINE_BYTES, 1], 'exactly as long as allowed')
})

t.test('everything that a line can say is read into the form of its column', async t => {
  t.match(read(line({
    id: '0190a5c4-8c3a-7000-8000-000000000001', email: ' Ada@EXAMPLE.com', email_verified: '2024-02-01T10:00:00+02:00', name: 'Ada', status: 'disabled', roles: ['admin', 'admin', 'a:b'], claims: { tenant: 't1' },
    locale: 'de-at', profile: { city: 'Wien' }, created_at: '2020-01-02T03:04:05.123456Z', password_hash: '{SSHA256}4RaM2GJW3ul2932I0h0fEaJmuY7vKE3Y9v7evyl2Xzv9HyNEaI0Rwg==',
  })), {
    id: '0190a5c4-8c3a-7000-8000-000000000001', email: 'ada@example.com', verified: true, email_verified_at: '2024-02-01T08:00:00.000000Z', name: 'Ada', status: 2, roles: ['admin', 'a:b'], claims: { tenant: 't1' },
    locale: 'de-AT', profile: { city: 'Wien' }, created_at: '2020-01-02T03:04:05.123456Z', password_hash: /^\$sha256\$o=ps\$/,
  })
  t.match(read(line()), { verified: false, email_verified_at: null, name: null, status: 1, roles: [], claims: {}, locale: null, profile: {}, created_at: null, password_hash: null })
  t.match(read(`\uFEFF${line({ email_verified: true })}\r`), { verified: true, email_verified_at: null }, 'as an editor on Windows saves it')
  t.equal(read(' \r'), null, 'a blank line')
})

t.test('without an id the same line is the same account, and another line about the address is not', async t => {
  const id = (more: object) => read(line(more))!.id
  t.equal(id({ name: 'Ada' }), id({ name: 'Ada' }))
  t.equal(id({}), id({ email: 'ADA@example.com', status: 'active', roles: [] }), 'what is meant counts, not how it is written')
  const hash = (salt: string) => ({ password: { algorithm: 'sha256', order: 'salt+password', salt, salt_encoding: 'utf8', hash: 'ab'.repeat(32), encoding: 'hex' } })
  t.equal(id(hash('a')), id(hash('b')), 'an id is public: nothing of a password is in it')
  const others = [{}, { name: 'Ada' }, { name: 'Bob' }, { status: 'disabled' }, { roles: ['x'] }, { email: 'bob@example.com' }, { created_at: '2020-01-01T00:00:00Z' }, { email_verified: true }].map(id)
  t.equal(new Set(others).size, others.length)
  for (const one of others) t.match(one, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab]/)
  t.ok(id({ created_at: '2020-01-01T00:00:00Z' }) < id({ created_at: '2020-01-01T00:00:01Z' }), 'ids sort by age')
})

t.test('a line that is no account is refused by what is wrong with it', async t => {
  const member = (more: object) => refusal(line(more))
  for (const text of ['{', 'null', '[]', '"x"', '1', '{"email":"a@b.cc",}', `{"email":"a@b.cc","name":"a${'\0'}b"}`, '['.repeat(60_000), '{"a":'.repeat(12_000)]) t.equal(refusal(text).code, 'not_json', text.slice(0, 40))
  for (const bytes of [[0xff, 0xfe], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0x22, 0xe2, 0x82]]) t.equal(refusal(Buffer.from(bytes)).code, 'not_utf8')
  for (const more of [{ password_digest: 'x' }, { Email: 'x' }, { epoch: 5 }, { constructor: 1 }]) t.equal(member(more).code, 'unknown_member')
  t.equal(refusal('{"email":"a@b.cc","__proto__":{"roles":["admin"]}}').code, 'unknown_member')
  const deep = JSON.parse(`${'{"a":'.repeat(100)}1${'}'.repeat(100)}`) as object
  for (const name of ['claims', 'profile', 'roles', 'name', 'password']) refusal(`{"email":"a@b.cc","${name}":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}`)
  for (const more of [
    { email: undefined }, { email: 5 }, { email: 'no address' }, { email: 'a@b@c.dd' }, { email: ['a@b.cc'] },
    { id: 5 }, { id: 'x' }, { id: '0190A5C4-8C3A-7000-8000-000000000001' }, { id: '00000000-0000-0000-0000-00000000000' },
    { email_verified: 'yes' }, { email_verified: 1 }, { email_verified: null }, { email_verified: '2030-01-01T00:00:00Z' },
    { name: '' }, { name: 5 }, { name: 'x'.repeat(201) }, { name: 'a\0b' }, { name: '\ud800' },
    { status: 'ACTIVE' }, { status: 1 }, { status: '__proto__' },
    { roles: 'admin' }, { roles: ['a b'] }, { roles: [5] }, { roles: [''] }, { roles: ['x'.repeat(65)] }, { roles: Array.from({ length: 101 }, (_, n) => `r${n}`) },
    { claims: [] }, { claims: { sub: 'x' } }, { claims: { a: '\0' } }, { claims: { a: deep } }, { claims: JSON.parse('{"__proto__":{"a":1}}') }, { claims: { a: JSON.parse('{"__proto__":1}') } },
    { locale: 'not a language' }, { locale: 5 }, { locale: 'x'.repeat(36) },
    { profile: [] }, { profile: deep }, { profile: { a: 'x'.repeat(4_097) } }, { profile: { a: '\udfff' } }, { profile: JSON.parse('{"__proto__":1}') },
    { created_at: 'yesterday' }, { created_at: 1_700_000_000 }, { created_at: '1969-12-31T23:59:59Z' }, { created_at: '2026-11-30T00:00:00Z' }, { created_at: '2020-13-01T00:00:00Z' }, { created_at: '2020-01-01' }, { created_at: '2020-01-01T00:00:00' },
    { password: 'plain text' }, { password: ['x'] }, { password_hash: 5 }, { password_hash: {} }, { password: { algorithm: 'bcrypt', hash: 'x' }, password_hash: 'x' },
  ]) t.equal(member(more).code, 'invalid_member', JSON.stringify(more).slice(0, 80))
  t.equal(refusal('{"email":"a@b.cc","claims":{"a":1e999}}').code, 'invalid_member', 'a number that JSON could not write')
  t.equal(member({ claims: { a: 'x'.repeat(3_000) } }).code, 'claims_too_large')
  t.equal(member({ password_hash: 'swordfish' }).code, 'unknown_hash')
  t.equal(member({ password_hash: '$2b$10$short' }).code, 'invalid_hash')
  t.equal(member({ password_hash: `$2b$31$${'a'.repeat(53)}` }).code, 'hash_too_costly')
  t.equal(({} as { roles?: unknown }).roles, undefined, 'no prototype was touched')
})

t.test('a refusal never shows what the line has', async t => {
  const secret = 'swordfish-7'
  for (const text of [
    `{"email":"a@b.cc","password_hash":"${secret}`, line({ password_hash: secret }), line({ password: secret }), line({ password: { algorithm: secret, hash: secret } }), line({ [secret]: 1 }), line({ password: { algorithm: 'bcrypt', hash: secret } }),
    line({ status: secret }), line({ locale: `${secret} x` }), line({ roles: [`${secret} x`] }), line({ email: secret }), line({ created_at: secret }), line({ claims: { [`1${secret}`]: 1 } }),
  ]) t.notMatch(JSON.stringify({ message: refusal(text).message, code: refusal(text).code }), /swordfish/, text)
})
