import t from 'tap'
import type { AccessClaims } from '../../src/sdk/claims.ts'
import { VerifiedTokens } from '../../src/sdk/verified-tokens.ts'

const claims = (jti: string): AccessClaims => ({ iss: 'i', aud: ['a'], sub: 's', client_id: 'c', jti, ver: 0, scope: '', roles: ['r'], iat: 1, exp: 2 })
const verified = (jti: string) => ({ claims: claims(jti), kid: 'k', revision: 0 })

t.test('however many tokens come, as many are remembered as there is room for, and those in use are among them', async t => {
  const tokens = new VerifiedTokens<ReturnType<typeof verified>>(10)
  tokens.remember('in use', verified('in use'))
  for (let n = 0; n < 1_000; n++) {
    tokens.remember(`t${n}`, verified(`t${n}`))
    t.equal(tokens.find('in use')?.claims.jti, 'in use')
    if (tokens.size > 20) t.fail(`${tokens.size} are remembered`)
  }
  t.equal(tokens.find('t0'), undefined)
  t.equal(tokens.find('t999')?.claims.jti, 't999')
})

t.test('a token is known by all of its characters, and not once it was forgotten', async t => {
  const tokens = new VerifiedTokens<ReturnType<typeof verified>>(1)
  const long = `head.${'s'.repeat(86)}`
  tokens.remember(long, verified('long'))
  for (const other of [`Head.${'s'.repeat(86)}`, 's'.repeat(86), `x${long}`, long.slice(0, -1)]) t.equal(tokens.find(other), undefined, 'the same end')
  t.ok(tokens.find(long))
  tokens.forget(long)
  tokens.remember('a.b.c', verified('x'))
  for (const other of ['a.b.C', 'a.b.c ', 'a.b.', 'constructor', '__proto__']) t.equal(tokens.find(other), undefined)
  tokens.remember('younger', verified('y'))
  t.ok(tokens.find('a.b.c'), 'of the older generation')
  tokens.forget('a.b.c')
  t.equal(tokens.find('a.b.c'), undefined)
})

t.test('what requests share, none of them can change', async t => {
  const tokens = new VerifiedTokens<ReturnType<typeof verified>>()
  tokens.remember('token', { ...verified('x'), claims: { ...claims('x'), address: { city: ['Paris'] } } as AccessClaims })
  const found = tokens.find('token')!.claims as AccessClaims & { address: { city: string[] } }
  t.throws(() => { found.scope = 'admin' }, TypeError)
  t.throws(() => { found.roles!.push('admin') }, TypeError)
  t.throws(() => { found.address.city.push('Rome') }, TypeError)
})
