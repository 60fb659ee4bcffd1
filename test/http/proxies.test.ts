import t from 'tap'
import { world, type Call } from '../helpers/world.ts'

/** Sign-ins that fail before they cost a hash: only the limit counts them. */
const attempt = async (call: Call, remoteAddress: string, headers: Record<string, string> = {}) => await call('POST', '/v1/auth/login', { body: {}, remoteAddress, headers })
/** @returns how many of `count` attempts were let through */
async function letThrough (call: Call, count: number, from: (at: number) => [remoteAddress: string, headers?: Record<string, string>]): Promise<number> {
  let passed = 0
  for (let at = 0; at < count; at++) if ((await attempt(call, ...from(at))).statusCode !== 429) passed++
  return passed
}

t.test('nobody gets round a limit by claiming to be somebody else, by another spelling of the address or by its neighbours', async t => {
  const { call, logLines } = await world(t, { RATE_LIMIT_SCALE: '1' })
  t.equal(await letThrough(call, 70, at => ['203.0.113.1', { 'x-forwarded-for': `198.51.100.${at}`, forwarded: `for=198.51.100.${at}`, 'x-real-ip': `198.51.100.${at}`, 'cf-connecting-ip': `198.51.100.${at}` }]), 60, 'headers of forwarding proxies mean nothing by default')
  t.notMatch(JSON.stringify(logLines()), '198.51.100.', 'and are not logged as the caller')
  const refused = await attempt(call, '::ffff:203.0.113.1')
  t.match([refused.statusCode, refused.json().code, refused.headers['retry-after']], [429, 'too_many_requests', /^[1-9]\d?$/], 'IPv4 written as IPv6 is the same address')
  t.equal(await letThrough(call, 70, at => [`2001:db8:0:1::${at.toString(16)}`]), 60, 'seventy addresses of one /64 are one caller')
  t.equal((await attempt(call, '2001:db8:0:2::1')).statusCode, 400, 'the next /64 is another')
  t.equal((await attempt(call, '203.0.113.2')).statusCode, 400)
})

t.test('behind a listed proxy the address that it reports counts, and what the caller wrote before it does not', async t => {
  const { call } = await world(t, { RATE_LIMIT_SCALE: '1', TRUSTED_PROXIES: '10.0.0.0/8' })
  t.equal(await letThrough(call, 70, at => ['10.1.2.3', { 'x-forwarded-for': `192.0.2.${at}, 203.0.113.9` }]), 60)
  t.equal((await attempt(call, '10.1.2.3', { 'x-forwarded-for': '203.0.113.10' })).statusCode, 400, 'another caller behind the same proxy')
  t.equal(await letThrough(call, 70, at => ['203.0.113.20', { 'x-forwarded-for': `192.0.2.${at}` }]), 60, 'a caller who is no listed proxy')
})

t.test('a forged host or protocol reaches no issuer, no key location and no cookie', async t => {
  for (const proxies of ['', '127.0.0.1']) {
    const { call, signIn, config } = await world(t, { PUBLIC_URL: 'https://auth.example.com', TRUSTED_PROXIES: proxies })
    const { user } = await signIn()
    const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'http', 'x-forwarded-port': '80', forwarded: 'host=evil.example;proto=http' }
    for (const url of ['/.well-known/openid-configuration', '/openapi.json']) t.notMatch((await call('GET', url, { headers })).body, 'evil.example', url)
    const answer = await call('POST', '/v1/auth/login', { headers, body: { email: user.email, password: 'a long enough pass phrase' } })
    t.match(answer.headers['set-cookie'], /; Secure/)
    t.notMatch(JSON.stringify(answer.headers), 'evil.example')
    t.equal((await call('GET', '/v1/auth/verify', { headers, bearer: answer.json().access_token })).json().iss, config.publicUrl)
  }
})
