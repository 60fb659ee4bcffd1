import { createHmac, hkdfSync } from 'node:crypto'
import t from 'tap'
import { base64url, hmac } from '../helpers/forge.ts'
import { linksOf } from '../helpers/links.ts'
import { PASSWORD, world } from '../helpers/world.ts'

const NEW = 'the pass phrase of tomorrow'
const doors = {
  verification: ['/v1/email-verification/confirm', (token: string) => ({ token })],
  reset: ['/v1/password-reset/confirm', (token: string) => ({ token, new_password: NEW })],
  emailChange: ['/v1/email-change/confirm', (token: string) => ({ token })],
} as const
type Door = keyof typeof doors

t.test('the token of every link opens its own door only, and none of those of sessions opens any of them', async t => {
  const w = await world(t)
  const { id, email } = await w.signUp()
  const session = await w.signIn(email)
  const { digest: _, ...links } = await linksOf(w, id)
  const tokens: Record<string, string> = { ...links, 'access token': session.access_token, 'refresh token': session.refresh_token }
  for (const [kind, token] of Object.entries(tokens)) {
    for (const [door, [url, body]] of Object.entries(doors)) {
      if (door === kind) continue
      t.match((await w.call('POST', url, { body: body(token) })).json(), { status: 400, code: 'invalid_action_token' }, `${kind} at ${door}`)
    }
    if (!Object.hasOwn(doors, kind)) continue
    t.equal((await w.verify(token)).statusCode, 401, `${kind} as an access token`)
    t.equal((await w.refresh(token)).json().code, 'session_ended', `${kind} as a refresh token`)
    t.equal((await w.call('GET', '/v1/me', { bearer: token })).statusCode, 401)
    t.equal((await w.call('POST', '/v1/auth/logout', { body: { refresh_token: token } })).statusCode, 204)
  }
  t.strictSame(await w.sql('SELECT email, epoch, email_verified_at FROM users'), [{ email, epoch: 1, email_verified_at: null }], 'nothing happened')
  t.equal((await w.verify(session.access_token)).statusCode, 200)
  for (const door of ['verification', 'reset'] as const) t.equal((await w.call('POST', doors[door][0], { body: doors[door][1](links[door]) })).statusCode, 204, `control: ${door} opens its own`)
  t.equal((await w.call('POST', doors.emailChange[0], { body: { token: (await linksOf(w, id)).emailChange } })).statusCode, 204)
})

t.test('nobody makes a link: not without the key, not with another one, not from the token of another user, purpose, installation or time', async t => {
  const w = await world(t)
  const { id } = await w.signUp()
  const other = await w.signUp()
  const links = await linksOf(w, id)
  const secrets = { at: w.ctx.keyring.signingKey('at', w.clock.now() / 1000), rt: w.ctx.keyring.signingKey('rt', w.clock.now() / 1000), ft: w.ctx.keyring.signingKey('ft', w.clock.now() / 1000) }
  for (const [door, [url, bodyOf]] of Object.entries(doors)) {
    const [header, payload] = links[door as Door].split('.').slice(0, 2).map(part => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>) as [Record<string, unknown>, Record<string, unknown>]
    const typ = String(header['typ']).slice(0, 2)
    const key = Buffer.from(hkdfSync('sha256', secrets.ft.secret as Buffer, '', `flow/${typ}`, 32))
    const forge = (head: object, claims: object, sign = hmac(key)) => {
      const input = `${base64url(JSON.stringify({ ...header, ...head }))}.${base64url(JSON.stringify({ ...payload, ...claims }))}`
      return `${input}.${base64url(sign(input))}`
    }
    t.equal(forge({}, {}), links[door as Door], 'control: with the key one would')
    const hostile: Record<string, string> = {
      'no signature': forge({ alg: 'none' }, {}, () => Buffer.alloc(0)),
      'an empty key': forge({}, {}, hmac('')),
      'the master key itself': forge({}, {}, hmac(secrets.ft.secret as Buffer)),
      'the key of refresh tokens': forge({ kid: secrets.rt.kid }, {}, hmac(secrets.rt.secret as Buffer)),
      'the key of another purpose': forge({}, {}, input => createHmac('sha256', Buffer.from(hkdfSync('sha256', secrets.ft.secret as Buffer, '', 'flow/xx', 32))).update(input).digest()),
      'another user': forge({}, { sub: other.id }, hmac('guessed')),
      'another user, if the key were known': forge({}, { sub: other.id, ...(door === 'emailChange' && { box: 'AAAA' }) }),
      nobody: forge({}, { sub: 'nobody' }),
      'another issuer': forge({}, { iss: 'http://evil.example' }),
      'another door': forge({}, { aud: 'http://localhost:3000/v1/auth/refresh' }),
      'every door': forge({}, { aud: Object.values(doors).map(([path]) => `http://localhost:3000${path}`) }),
      'no end': forge({}, { exp: undefined }),
      'an end that is no number': forge({}, { exp: '9999999999' }),
      'an end in the past': forge({}, { exp: Math.floor(w.clock.now() / 1000) - 1 }),
      'no name': forge({}, { jti: undefined }),
      'what it is bound to left out': forge({}, { em: undefined, pf: undefined, box: undefined }),
      'what it is bound to of another type': forge({}, { em: {}, pf: null, box: 7 }),
      'an access token\'s typ': forge({ typ: 'at+jwt' }, {}),
      crit: forge({ crit: ['exp'] }, {}),
      garbage: 'a.b.c', 'no token': 'x', 'a long one': 'x'.repeat(8_000), spaces: ` ${links[door as Door]}`, padding: `${links[door as Door]}=`,
    }
    for (const [what, token] of Object.entries(hostile)) t.match((await w.call('POST', url, { body: bodyOf(token) })).json(), { status: 400, code: 'invalid_action_token' }, `${door}: ${what}`)
    t.match((await w.call('POST', url, { body: bodyOf(forge({ kid: 'unknown' }, {})) })).json().code, /invalid_action_token|database_unavailable/, 'an unknown kid, which is looked up once in five seconds')
    for (const token of [{ not: '' }, [links[door as Door]], 1, null, '', undefined, 'x'.repeat(8_193)]) t.match((await w.call('POST', url, { body: { ...bodyOf(''), token } })).json(), { status: 400, code: 'invalid_request' })
    t.match((await w.call('POST', url, { body: { ...bodyOf(links[door as Door]), user_id: other.id } })).json(), { code: 'invalid_request' }, 'an unknown member')
  }
  t.strictSame(await w.sql('SELECT DISTINCT epoch, email_verified_at FROM users'), [{ epoch: 1, email_verified_at: null }], 'nothing happened to anybody')
})

t.test('a key that was revoked takes its links with it', async t => {
  const w = await world(t)
  const { id, email } = await w.signUp()
  const { reset } = await linksOf(w, id)
  await w.sql("UPDATE signing_key SET compromised_at = now() WHERE use = 'ft'")
  await w.ctx.keyring.reread()
  t.match((await w.call('POST', doors.reset[0], { body: doors.reset[1](reset) })).json(), { code: 'invalid_action_token' })
  t.equal((await w.call('POST', '/v1/auth/login', { body: { email, password: PASSWORD } })).statusCode, 200)
})
