import t from 'tap'
import { forgeFrom } from '../helpers/forge.ts'
import { listening, request } from '../helpers/socket.ts'
import { world } from '../helpers/world.ts'

t.test('whatever is written into Authorization, the answer is 400 or 401 and the token in it does not count', async t => {
  const { app, signIn } = await world(t)
  const { access_token: token } = await signIn()
  const { raw } = await listening(t, { app })
  const ask = async (...headers: string[]) => await raw(request('GET', '/v1/auth/verify', ...headers))

  for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR']) {
    t.equal((await ask(`Authorization: ${scheme} ${token}`)).statusCode, 200, `control: the scheme "${scheme}" has no case (RFC 9110 §11.1)`)
  }
  const spellings: string[][] = [
    '', ' ', 'Bearer', 'Bearer ', 'Bearer  ', `Bearer  ${token}`, `Bearer\t${token}`, `Bearer ${token} x`, `Bearer ${token},`, `Bearer ${token}, Bearer ${token}`,
    `Bearer,${token}`, `Bearer=${token}`, `Bearer "${token}"`, `Bearer token="${token}"`, `Bearer:${token}`, `Bearer${token}`, token, `Token ${token}`, `JWT ${token}`,
    `DPoP ${token}`, `Basic ${Buffer.from(`user:${token}`).toString('base64')}`, `Digest ${token}`, `Bearer Bearer ${token}`, `Bearer é${token}`, `Bearer ${token}é`,
    'Bearer %00', 'Bearer null', 'Bearer undefined', 'Bearer [object Object]', 'Bearer {}', 'Bearer ..', `Bearer ${token}%20`, `Bearer ${encodeURIComponent(`${token}=`)}`,
    'Negotiate', 'constructor', '__proto__ x', `Bearer ${'a'.repeat(8_193)}`, `Bearer ${'.'.repeat(8_000)}`,
  ].map(value => [`Authorization: ${value}`])
  spellings.push(
    [`Authorization: Bearer ${token}`, `Authorization: Bearer ${token}`],
    [`Authorization: Bearer ${token}`, 'Authorization: Bearer x'],
    ['Authorization: Bearer x', `authorization: Bearer ${token}`],
    [`Authorization: Bearer ${token}`, 'AUTHORIZATION: Basic eDp5'],
    ['Authorization:', `Authorization: Bearer ${token}`],
    [`X-Authorization: Bearer ${token}`], [`Proxy-Authorization: Bearer ${token}`], [`Access-Token: ${token}`], [`Cookie: access_token=${token}; __Host-rt=${token}`],
    [`X-Auth-Subject: ${token}`, 'X-Auth-Roles: admin']
  )
  for (const headers of spellings) {
    const answer = await ask(...headers)
    const shown = headers.join(' + ').replaceAll(token, '<token>').slice(0, 70)
    t.ok([400, 401].includes(answer.statusCode), `${answer.statusCode} for ${shown}`)
    const { status, code } = JSON.parse(answer.body)
    t.equal(status, answer.statusCode, 'as a problem')
    if (status === 401) t.equal(answer.headers['www-authenticate'], /^authorization/im.test(headers.join('\n')) ? 'Bearer error="invalid_token"' : 'Bearer', shown)
    else t.equal(code, 'invalid_request')
  }
  t.ok(spellings.length >= 20, `${spellings.length} spellings`)

  const twice = await ask(`Authorization: Bearer ${token}`, `Authorization: Bearer ${token}`)
  t.match([twice.statusCode, JSON.parse(twice.body).code], [400, 'invalid_request'], 'two headers are refused, also with one good token in both')
  t.equal((await ask(`Authorization: Bearer ${token}`)).statusCode, 200, 'and the service goes on')
})

t.test('a header that no server should read is refused before it is one', async t => {
  const { app, signIn } = await world(t)
  const { access_token: token } = await signIn()
  const { raw } = await listening(t, { app })
  const ask = async (...headers: (string | Buffer)[]) => await raw([...request('GET', '/v1/auth/verify'), ...headers])
  t.equal((await ask(`Authorization: Bearer ${'x'.repeat(20_000)}`)).statusCode, 431)
  t.equal((await ask(`Authorization: Bearer ${token}\0`)).statusCode, 400, 'NUL')
  t.equal((await ask(`Authorization : Bearer ${token}`)).statusCode, 400, 'a space before the colon')
  t.equal((await ask('Authorization: Bearer', ` ${token}`)).statusCode, 400, 'a folded line')
  t.equal((await ask(Buffer.concat([Buffer.from('Authorization: Bearer '), Buffer.from([0xff, 0xfe])]))).statusCode, 401, 'bytes above ASCII')
  t.equal((await ask(`Authorization: Bearer ${token}`)).statusCode, 200)
})

t.test('an access token in the URL, in a body or in two places does not count', async t => {
  const { call, signIn } = await world(t)
  const { access_token: token } = await signIn()
  for (const url of ['/v1/me', '/v1/auth/verify']) {
    const inQuery = await call('GET', `${url}?access_token=${token}`)
    t.match([inQuery.statusCode, inQuery.headers['www-authenticate']], [401, 'Bearer'], `${url}: no token was presented that counts`)
    for (const query of [`access_token=${token}`, 'access_token=', 'access_token', `access_token=${token}&access_token=${token}`, `x=1&access%5Ftoken=${token}`]) {
      const twice = await call('GET', `${url}?${query}`, { bearer: token })
      t.match([twice.statusCode, twice.json().code], [400, 'invalid_request'], `${url}?${query.slice(0, 20)} beside the header`)
    }
    t.equal((await call('GET', `${url}?__proto__[access_token]=x&constructor=1&token=${token}`, { bearer: token })).statusCode, 200, 'other parameters mean nothing')
  }
})

t.test('every 401 carries a challenge, and names an error only where a token was shown', async t => {
  const { call, signIn } = await world(t)
  const { access_token: token } = await signIn()
  const cases: [string, string, object, string][] = [
    ['GET', '/v1/me', {}, 'Bearer'],
    ['HEAD', '/v1/me', {}, 'Bearer'],
    ['GET', '/v1/me', { bearer: `${token}x` }, 'Bearer error="invalid_token"'],
    ['HEAD', '/v1/auth/verify', { bearer: `${token}x` }, 'Bearer error="invalid_token"'],
    ['POST', '/v1/auth/refresh', {}, 'Bearer'],
    ['POST', '/v1/auth/refresh', { body: { refresh_token: token } }, 'Bearer'],
    ['POST', '/v1/auth/login', { body: { email: 'a@example.com', password: 'x' } }, 'Bearer'],
  ]
  for (const [method, url, options, challenge] of cases) {
    const answer = await call(method, url, options)
    t.match([answer.statusCode, answer.headers['www-authenticate']], [401, challenge], `${method} ${url} ${JSON.stringify(options).slice(0, 30)}`)
  }
})

t.test('a token without the scope of a route is 403 there and good elsewhere', async t => {
  const { ctx, call, signIn, verify } = await world(t)
  const { forge } = forgeFrom(ctx, (await signIn()).access_token)
  for (const scope of ['other', 'accounts', 'accoun', 'Account', 'other accounts', 'account,other']) {
    const token = forge({ claims: { scope } })
    const answer = await call('GET', '/v1/me', { bearer: token })
    t.match([answer.statusCode, answer.json().code], [403, 'insufficient_scope'], scope)
    t.equal((await verify(token)).headers['x-auth-scope'], scope)
  }
})
