import t from 'tap'
import { elsewhere } from '../helpers/verifier.ts'

/** How often a signature is checked in this process from now on. */
function countChecks (t: { teardown: (work: () => void) => void }): () => number {
  let checks = 0
  const own = crypto.subtle.verify
  crypto.subtle.verify = async function (...args: Parameters<SubtleCrypto['verify']>) { checks++; return await own.apply(this, args) }
  t.teardown(() => { crypto.subtle.verify = own })
  return () => checks
}

t.test('the signature of a token is checked once, and what it says is the same for all who ask and can be changed by none', async t => {
  const w = await elsewhere(t)
  const { access_token: token } = await w.signIn()
  const checks = countChecks(t)
  const first = await w.verifier.verify(token)
  for (let n = 0; n < 10; n++) t.equal(await w.verifier.verify(token, { maxStaleness: 5 }), first)
  t.equal(checks(), 1)
  t.throws(() => { first.scope = 'admin' }, TypeError)
  t.throws(() => { first.roles!.push('admin') }, TypeError)
})

t.test('a token that was seen makes no other one good', async t => {
  const w = await elsewhere(t)
  const [mine, other] = [(await w.signIn()).access_token, (await w.signIn()).access_token]
  for (const token of [mine, other]) t.equal(await w.ask(token), 'good')
  const [head, payload, signature] = mine.split('.') as [string, string, string]
  const forged = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(payload, 'base64url').toString()), roles: ['admin'] })).toString('base64url')
  t.equal(await w.ask(`${head}.${forged}.${signature}`), 'invalid_signature', 'other claims, the same signature')
  t.equal(await w.ask(`${head}.${other.split('.')[1]!}.${signature}`), 'invalid_signature', 'the claims of another that was seen')
  t.equal(await w.ask(`${mine} `), 'malformed_token')
  t.equal(await w.ask(`${mine.slice(0, -1)}${mine.endsWith('A') ? 'Q' : 'A'}`), 'invalid_signature')
  t.equal(await w.ask(mine), 'good', 'and is good itself, still')
})

t.test('what was seen is refused once it is over, once it ended, and where the feed is too old', async t => {
  const w = await elsewhere(t)
  const { access_token: token, refresh_token: refreshToken } = await w.signIn()
  const { access_token: late } = await w.signIn()
  for (const one of [token, late]) t.equal(await w.ask(one), 'good')
  const { now } = Date
  Date.now = () => now() + 700_000
  try { t.not(await w.ask(late), 'good', 'ten minutes later') } finally { Date.now = now }
  await w.call('POST', '/v1/auth/logout', { body: { refresh_token: refreshToken } })
  t.equal(await w.ask(token, { maxStaleness: 0 }).then(async () => { for (let n = 0; n < 100 && await w.ask(token) === 'good'; n++) await new Promise(resolve => setTimeout(resolve, 50)); return await w.ask(token) }), 'revoked')
  w.balancer.to(null)
  await new Promise(resolve => setTimeout(resolve, 1_200))
  t.equal(await w.ask(late, { maxStaleness: 1 }), 'stale_revocations')
})
