import t from 'tap'
import { MAX_TOKEN_LENGTH, parseCompact } from '../../src/core/tokens/compact.ts'

const b64 = (value: unknown): string => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
const HEADER = { alg: 'ES256', typ: 'at+jwt', kid: 'key-1' }
const token = (header: unknown = HEADER, payload: unknown = { sub: 'x' }, signature = 'c2ln') => `${b64(header)}.${b64(payload)}.${signature}`

t.test('a plain signed token gives its header', async t => {
  t.strictSame(parseCompact(token()), { alg: 'ES256', kid: 'key-1', typ: 'at+jwt' })
  t.strictSame(parseCompact(token({ ...HEADER, jku: 'https://evil.example', jwk: {}, x5c: [] })), { alg: 'ES256', kid: 'key-1', typ: 'at+jwt' }, 'keys that a token brings along are not even passed on')
})

t.test('anything but three canonical base64url segments is refused', async t => {
  const good = token()
  const [h, p, s] = good.split('.') as [string, string, string]
  for (const text of ['', '.', '..', '...', `${h}.${p}`, `${h}.${p}.`, `.${p}.${s}`, `${h}..${s}`, `${good}.x`, ` ${good}`, `${good} `, `${good}\n`, `${h}.${p}.${s}=`, `${h}=.${p}.${s}`, `${h}.${p}.c2+n`, `${h}.${p}.c2/n`, `${h}.${p}.c2 ln`, `${h}.\0${p}.${s}`, good.replace('.', '．')]) {
    t.equal(parseCompact(text), null, JSON.stringify(text))
  }
})

t.test('a second spelling of the same bytes is refused, in each segment', async t => {
  for (const spare of ['c2l', 'c2m', 'YR', 'YQ1=']) t.equal(parseCompact(token(HEADER, { sub: 'x' }, spare)), null, spare)
  t.equal(parseCompact(token(HEADER, { sub: 'x' }, 'c2lnA')), null, 'a dangling character')
})

t.test('a header that changes what the rest means is refused', async t => {
  for (const extension of [{ crit: ['exp'] }, { crit: [] }, { b64: false }, { b64: true }, { zip: 'DEF' }]) t.equal(parseCompact(token({ ...HEADER, ...extension })), null, JSON.stringify(extension))
})

t.test('a header that is no object, or whose members are not texts, is refused', async t => {
  for (const header of ['null', '[]', '"x"', '7', '{', '', '{"alg":"ES256"}', '[{"alg":"ES256"}]']) t.equal(parseCompact(token(header)), null, header)
  for (const member of ['alg', 'typ', 'kid']) for (const value of [undefined, null, 7, [], {}, ['ES256']]) t.equal(parseCompact(token({ ...HEADER, [member]: value })), null, `${member} ${JSON.stringify(value)}`)
})

t.test('a kid that is a path, a query, a name of the language or too long is refused or finds nothing', async t => {
  for (const kid of ['', '../../etc/passwd', "' OR 1=1 --", 'a b', 'a\0b', 'k'.repeat(65), 'ключ', 'https://evil.example/jwks']) t.equal(parseCompact(token({ ...HEADER, kid })), null, JSON.stringify(kid))
  t.equal(parseCompact(token('{"alg":"ES256","typ":"at+jwt","__proto__":{"kid":"key-1"}}')), null, 'nothing is inherited')
})

t.test('bytes that are not UTF-8 are refused in header and payload', async t => {
  const bad = Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url')
  t.equal(parseCompact(`${bad}.${b64({})}.c2ln`), null)
  t.equal(parseCompact(`${b64(HEADER)}.${bad}.c2ln`), null)
})

t.test('what is longer than a token can be is refused unread', async t => {
  const fill = (length: number) => token(HEADER, { sub: 'x' }, 'A'.repeat(length - token().length + 4))
  t.ok(parseCompact(fill(MAX_TOKEN_LENGTH - (fill(MAX_TOKEN_LENGTH).split('.')[2]!.length % 4))))
  t.equal(parseCompact(fill(MAX_TOKEN_LENGTH + 4)), null)
  t.equal(parseCompact('a.'.repeat(5_000_000)), null)
})
