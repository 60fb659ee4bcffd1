import t from 'tap'
import { issueAccessToken } from '../../src/core/tokens/access-token.ts'
import { requireClaims, requireClaimsFit, requireRoles, RESERVED_CLAIMS } from '../../src/core/users/claims.ts'
import { AppError } from '../../src/errors.ts'
import { uuidv7 } from '../../src/lib/ids.ts'
import { world } from '../helpers/world.ts'

/** The pointer and the code of a refusal, or what came back. */
function outcome (work: () => unknown): unknown {
  try { return work() } catch (error) {
    if (!(error instanceof AppError)) throw error
    return error.extra.errors?.map(({ pointer, code }) => `${pointer} ${code}`) ?? `${error.code}: ${error.extra.detail}`
  }
}

t.test('a role is a word that stands in a header as it is', async t => {
  const good = ['admin', 'a', 'A-Z.0_9:x', 'x'.repeat(64), '0', ':', '-']
  t.strictSame(requireRoles(good), good)
  t.strictSame(requireRoles(['b', 'a', 'b']), ['b', 'a'], 'each once')
  for (const bad of ['', ' ', 'a b', 'a,b', 'a\r\nx-auth-roles: admin', 'x'.repeat(65), 'é', 'a/b', 'a\0', '\ud800', null, 1, ['admin'], {}]) {
    t.strictSame(outcome(() => requireRoles(['ok', bad as string])), ['/roles/1 pattern'], JSON.stringify(bad))
  }
})

t.test('a custom claim has a name that means nothing yet, and a value that is plain JSON', async t => {
  const good = { tenant: 'a', 'https://example.com/plan': { tier: 3, seats: [1, 2, null, true] }, _x: 0, 'a:b': '😀', ['x'.repeat(128)]: [] }
  t.equal(requireClaims(good), good)
  t.strictSame(requireClaims({}), {})
  for (const bad of [null, [], ['a'], 'a', 1, undefined]) t.strictSame(outcome(() => requireClaims(bad)), ['/claims type'], JSON.stringify(bad))
  for (const name of ['', '1a', '-a', 'a b', 'é', '$x', 'a\0', '__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'x'.repeat(129), '.a', 'a"b']) {
    t.strictSame(outcome(() => requireClaims({ [name]: 'x' })), [`/claims/${name.slice(0, 128)} pattern`], name)
  }
  t.ok(RESERVED_CLAIMS.size > 40)
  for (const name of RESERVED_CLAIMS) t.strictSame(outcome(() => requireClaims({ [name]: 'x' })), [`/claims/${name} reserved`], name)
  const nested = (depth: number): unknown => depth === 0 ? 1 : { a: nested(depth - 1) }
  t.strictSame(outcome(() => requireClaims({ deep: nested(5) })), { deep: nested(5) })
  for (const [what, value] of Object.entries({
    'six deep': nested(6), 'lists six deep': [[[[[[1]]]]]], NUL: 'a\0b', 'NUL in a name': { 'a\0': 1 }, 'half a pair': '\ud800', '__proto__ within': JSON.parse('{"__proto__":{"admin":true}}'),
    'constructor within': [{ constructor: 1 }], infinity: Infinity, 'more than a number': JSON.parse('1e999'), undefined, 'a function': () => 1, 'a bigint': 1n,
  })) t.strictSame(outcome(() => requireClaims({ a: value })), ['/claims/a format'], what)
  t.strictSame(outcome(() => requireClaims({ 'a/b': NaN })), ['/claims/a~1b format'], 'as a JSON pointer')
})

t.test('no token that roles and claims lead to is longer than what was allowed for them', async t => {
  for (const signingAlg of ['ES256', 'RS256'] as const) {
    const { ctx, config } = await world(t, { SIGNING_ALG: signingAlg })
    const measured = (granted: Parameters<typeof requireClaimsFit>[1]) => Number(/have (\d+) bytes/.exec(String(outcome(() => requireClaimsFit({ config: { ...config, tokenMaxBytes: 1 } }, granted))))![1])
    const now = Math.floor(Date.now() / 1000)
    const issued = (granted: Parameters<typeof requireClaimsFit>[1], gen: number, ver: number) => issueAccessToken(ctx.keyring.signingKey('at', now), config, {
      sub: uuidv7(Date.now()), sid: uuidv7(Date.now()), ver, client_id: config.clientId, scope: 'account admin', amr: ['pwd'], auth_time: now, sexp: now + 1e6,
    }, granted, gen, now).token.length
    for (const granted of [{ roles: [], claims: {} }, { roles: ['admin'], claims: {} }, { roles: ['a', 'b'], claims: { 'https://example.com/x': { é: '😀"\\\n' } } }, { roles: Array.from({ length: 40 }, (_, at) => `role-${at}`), claims: { x: 1.5e-7 } }]) {
      t.equal(issued(granted, 2_147_483_647, 2_147_483_647), measured(granted), `${signingAlg}: to the byte where every number is at its longest`)
      const typical = issued(granted, 1, 1)
      t.ok(typical <= measured(granted) && typical > measured(granted) - 40, `${signingAlg}: ${typical} of ${measured(granted)}`)
    }
  }
})

t.test('what would not fit is refused with the size that was measured, and a byte less is not', async t => {
  const { config } = await world(t)
  const roles = (count: number) => Array.from({ length: count }, (_, at) => `project-${at}:writer`)
  t.match(outcome(() => requireClaimsFit({ config }, { roles: roles(200), claims: {} })), /^claims_too_large: Access tokens would have \d{4} bytes; 2048 are allowed\.$/)
  t.equal(outcome(() => requireClaimsFit({ config }, { roles: roles(50), claims: {} })), undefined)
  t.equal(outcome(() => requireClaimsFit({ config: { ...config, tokenMaxBytes: 8_192 } }, { roles: roles(200), claims: {} })), undefined, 'where the operator allows more')
  const claims = (bytes: number) => ({ x: 'x'.repeat(bytes) })
  const fits = Array.from({ length: 1_400 }, (_, bytes) => outcome(() => requireClaimsFit({ config }, { roles: [], claims: claims(bytes) })) === undefined)
  t.equal(fits.lastIndexOf(true) + 1, fits.indexOf(false), 'one limit')
  t.match(outcome(() => requireClaimsFit({ config }, { roles: [], claims: claims(fits.indexOf(false)) })), /have 20(49|5\d) bytes/)
})
