import t from 'tap'
import { parseCompact as inTheService } from '../../src/core/tokens/compact.ts'
import { isCanonical } from '../../src/sdk/canonical.ts'
import { parseCompact as inTheSdk } from '../../src/sdk/verifier/compact.ts'
import { base64url } from '../helpers/forge.ts'

t.test('a segment is canonical where encoding what it decodes to gives it back', async t => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  for (const start of ['', '_', 'aB', '-xY', 'eyJh', 'eyJhb', 'eyJhbG']) {
    for (const last of alphabet) t.equal(isCanonical(start + last), Buffer.from(start + last, 'base64url').toString('base64url') === start + last, start + last)
  }
})

const header = { alg: 'ES256', typ: 'at+jwt', kid: 'a-key_1' }
const tokenOf = (head: string | Buffer, payload: string | Buffer = '{"a":1}', signature: Buffer = Buffer.alloc(64, 7)): string => [head, payload, signature].map(base64url).join('.')
const both = (token: string): [service: boolean, sdk: boolean] => [inTheService(token) !== null, inTheSdk(token) !== null]

t.test('every token one or two characters away from a good one has the same form for the service and for the SDK', async t => {
  for (const length of [63, 64, 65]) {
    const good = tokenOf(JSON.stringify(header), '{"a":1}', Buffer.alloc(length, 7))
    t.strictSame(both(good), [true, true])
    const payload = [good.indexOf('.') + 1, good.lastIndexOf('.')] as const
    const disagree: string[] = []
    let refused = 0
    for (let at = 0; at <= good.length; at++) {
      // What a changed payload decodes to is looked at later, by jose; only its alphabet and length are form.
      const inPayload = at >= payload[0] && at < payload[1]
      for (const text of inPayload ? ['+', '/', '=', ' ', '\n', '.', '\0', 'é', '.A'] : ['A', 'B', 'Q', 'g', 'w', 'z', '_', '+', '/', '=', ' ', '\n', '.', '\0', 'é', '']) {
        for (const token of [good.slice(0, at) + text + good.slice(at), good.slice(0, at) + text + good.slice(at + 1)]) {
          const [service, sdk] = both(token)
          const known = inTheService(token)
          const isAccess = known?.typ === 'at+jwt' && ['ES256', 'RS256'].includes(known.alg)
          if ((service && isAccess) !== sdk) disagree.push(token)
          if (!sdk) refused++
        }
      }
    }
    t.strictSame(disagree, [], `a signature of ${length} bytes`)
    t.ok(refused > 1_000)
  }
})

t.test('the form is refused alike for odd headers, sizes and byte order marks', async t => {
  const text = JSON.stringify(header)
  const odd = ['[]', 'null', '1', '"x"', '{', `\ufeff${text}`, `${text} x`, '{"alg":"ES256","typ":"at+jwt"}', text.replace('a-key_1', 'k'.repeat(65)), text.replace('a-key_1', ''), text.replace('}', ',"crit":null}'), text.replace('}', ',"b64":true}'), text.replace('}', ',"zip":"DEF"}')].map(head => tokenOf(head))
  odd.push(tokenOf(Buffer.from([0x7b, 0xff, 0x7d])), tokenOf(text, '{}', Buffer.alloc(0)), '', '.', '..', '...', 'a.b.c', tokenOf(text, `{"a":"${'x'.repeat(8_192)}"}`))
  for (const token of odd) t.strictSame(both(token), [false, false], token.slice(0, 40))
  const longest = tokenOf(text).length
  const filler = (length: number): string => tokenOf(text, 'x'.repeat(Math.floor((length - longest) * 3 / 4)))
  t.strictSame(both(filler(8_100)), [true, true])
  t.equal(inTheSdk(tokenOf(text, '\ufeff{}')), null)
  t.strictSame(both(tokenOf(`{"__proto__":{"crit":[]},${text.slice(1)}`)), [true, true], 'a member of that name is no extension')
  for (let at = 0; at < 40; at++) t.ok(inTheSdk(tokenOf(JSON.stringify({ ...header, kid: `k${at}` }))), 'more keys than are remembered')
})
