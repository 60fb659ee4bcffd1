import t, { type Test } from 'tap'
import { listening, request } from '../helpers/socket.ts'
import { PASSWORD, world } from '../helpers/world.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const ROUTES: Record<string, Record<string, unknown>> = {
  '/v1/auth/register': { email: 'ada@example.com', password: PASSWORD, name: 'Ada' },
  '/v1/auth/login': { email: 'ada@example.com', password: PASSWORD, refresh: 'body', remember: true, scope: 'account' },
  '/v1/auth/refresh': { refresh_token: 'x' },
  '/v1/auth/logout': { refresh_token: 'x' },
}
/** The number of users and of sessions: what a refused request must not change. */
const counts = 'SELECT (SELECT count(*) FROM users)::int AS users, (SELECT count(*) FROM refresh_spent)::int AS spent, (SELECT count(*) FROM revocation)::int AS revoked'

t.test('a value of another type than documented is refused at its pointer, in every field of every body', async t => {
  const { call, sql } = await world(t)
  const values: unknown[] = [null, 0, 1, 1.5, true, false, [], ['a'], [[]], {}, { not: '' }, { contains: '@' }, { gt: '' }, { equals: 'ada@example.com' }, { toString: 'x' }, { length: 20 }, '']
  let cells = 0
  for (const [url, body] of Object.entries(ROUTES)) {
    for (const [field, good] of Object.entries(body)) {
      for (const value of values.filter(value => typeof value !== typeof good || value === '')) {
        const answer = await call('POST', url, { body: { ...body, [field]: value } })
        const { status, code, errors } = answer.json()
        t.strictSame([status, code, errors?.length, errors?.[0].pointer], [400, 'invalid_request', 1, `/${field}`], `${url} ${field} ${JSON.stringify(value)}`)
        cells++
      }
    }
  }
  t.ok(cells > 140, `${cells} cells`)
  for (const [url, body] of Object.entries(ROUTES).slice(0, 2)) {
    for (const field of ['email', 'password']) {
      const answer = await call('POST', url, { body: { ...body, [field]: undefined } })
      t.match([answer.statusCode, answer.json().errors[0]], [400, { pointer: `/${field}`, code: 'required' }], `${url} without ${field}`)
    }
  }
  for (const url of Object.keys(ROUTES)) {
    for (const whole of ['[]', '"text"', '1', 'true', 'null', '[{}]', '']) {
      if (/refresh|logout/.test(url) && ['null', ''].includes(whole)) continue
      const answer = await call('POST', url, { body: whole, headers: JSON_TYPE })
      t.match([answer.statusCode, answer.json().code], [400, 'invalid_request'], `${url} with the body ${whole}`)
    }
  }
  t.strictSame(await sql(counts), [{ users: 0, spent: 0, revoked: 0 }], 'and nothing came of any')
})

t.test('a member that is not documented is refused by name, most of all one that would give rights', async t => {
  const { call, sql } = await world(t)
  const members = ['role', 'roles', 'isAdmin', 'admin', 'id', 'sub', 'iss', 'exp', 'email_verified', 'emailVerified', 'password_hash', 'passwordHash', 'status', 'epoch', 'created_at', 'Email', 'PASSWORD', 'toString', 'hasOwnProperty', '$where', 'a/b~c']
  for (const [url, body] of Object.entries(ROUTES)) {
    for (const member of members) {
      const answer = await call('POST', url, { body: { ...body, [member]: true } })
      t.strictSame([answer.statusCode, answer.json().errors?.[0].pointer], [400, `/${member.replaceAll('~', '~0').replaceAll('/', '~1')}`], `${url} ${member}`)
    }
  }
  t.strictSame(await sql(counts), [{ users: 0, spent: 0, revoked: 0 }])
})

t.test('a body that is not plain JSON in UTF-8 is refused before anybody looks at it', async t => {
  const { call, sql } = await world(t)
  const good = JSON.stringify(ROUTES['/v1/auth/register'])
  const withName = (raw: string) => good.replace('"Ada"', raw)
  const bytes = (...parts: (string | number[])[]) => Buffer.concat(parts.map(part => Buffer.from(part as string)))
  const malformed: Record<string, string | Buffer> = {
    'cut off': good.slice(0, -1),
    'two values': `${good}${good}`,
    'a trailing comma': good.replace('}', ',}'),
    'single quotes': good.replaceAll('"', "'"),
    comments: `/* */${good}`,
    'a BOM twice': `\ufeff\ufeff${good}`,
    NaN: withName('NaN'),
    'a raw line break': withName('"a\nb"'),
    hex: withName('0x10'),
    'form data': 'email=a%40example.com&password=x',
    __proto__: withName('"Ada","__proto__":{"roles":["admin"]}'),
    '__proto__ by escape': withName('"Ada","\\u005f_proto__":{}'),
    '__proto__ deep': withName('{"a":{"__proto__":{}}}'),
    'constructor.prototype': withName('"Ada","constructor":{"prototype":{"roles":["admin"]}}'),
    NUL: withName('"a\\u0000b"'),
    'NUL in a key': withName('"Ada","a\\u0000":1'),
    'half a surrogate pair': withName('"a\\ud800b"'),
    'the other half': withName('"\\udc00"'),
    'halves in the wrong order': withName('"\\udc00\\ud800"'),
    'half a pair in a key': withName('"Ada","\\ud800":1'),
    'bad UTF-8': bytes(good.replace('Ada"}', 'Ada'), [0xff], '"}'),
    'an overlong form': bytes(good.replace('Ada"}', ''), [0xc0, 0x80], '"}'),
    'a surrogate in UTF-8': bytes(good.replace('Ada"}', ''), [0xed, 0xa0, 0x80], '"}'),
    'UTF-16': Buffer.from(good, 'utf16le'),
    'nesting of 17': withName(`${'['.repeat(17)}${']'.repeat(17)}`),
    'nesting of 30,000': `${'['.repeat(30_000)}${']'.repeat(30_000)}`,
    '30,000 objects deep': `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`,
    'never closed': '['.repeat(60_000),
  }
  for (const [name, body] of Object.entries(malformed)) {
    const answer = await call('POST', '/v1/auth/register', { body, headers: JSON_TYPE })
    t.match([answer.statusCode, answer.json().code], [400, 'malformed_request'], name)
  }
  const many = `{${Array.from({ length: 5_000 }, (_, at) => `"${at}":1`).join()}}`
  t.equal((await call('POST', '/v1/auth/register', { body: many, headers: JSON_TYPE })).json().code, 'invalid_request', '5,000 integer keys')
  t.equal(({} as Record<string, unknown>)['roles'], undefined, 'no prototype was touched')
  t.strictSame(await sql(counts), [{ users: 0, spent: 0, revoked: 0 }])
  t.equal((await call('POST', '/v1/auth/register', { body: good, headers: JSON_TYPE })).statusCode, 201, 'control: the plain form is good')
})

t.test('a body above 64 kB is refused, announced or not', async t => {
  const { app, call } = await world(t)
  const { raw } = await listening(t, { app })
  const body = (bytes: number) => { const start = JSON.stringify({ ...ROUTES['/v1/auth/register'], name: '' }); return start.replace('""', `"${'x'.repeat(bytes - start.length)}"`) }
  for (const url of Object.keys(ROUTES)) {
    t.match((await call('POST', url, { body: body(65_537), headers: JSON_TYPE })).json(), { status: 413, code: 'body_too_large' }, url)
    t.match((await call('POST', url, { body: body(65_536), headers: JSON_TYPE })).json(), { status: 400, code: 'invalid_request' }, `${url}: a byte less is read`)
  }
  const chunk = `${(70_000).toString(16)}\r\n${body(70_000)}\r\n0\r\n\r\n`
  t.equal((await raw(request('POST', '/v1/auth/register', 'Content-Type: application/json', 'Transfer-Encoding: chunked'), chunk)).statusCode, 413, 'in chunks')
})

/** Both must not slip past the schema: what is taken as JSON is validated, and the rest is not taken. */
async function neverSkipsValidation (t: Test, type: string | undefined, answer: { statusCode: number, body: string }): Promise<void> {
  const { code } = JSON.parse(answer.body) as { code: string }
  t.ok(['415 unsupported_media_type', '400 invalid_request'].includes(`${answer.statusCode} ${code}`), `${answer.statusCode} ${code} for ${JSON.stringify(type)}`)
}

t.test('no spelling of the content type gets a body past its checks', async t => {
  const { app, call, sql } = await world(t)
  const { raw } = await listening(t, { app })
  const evil = JSON.stringify({ ...ROUTES['/v1/auth/register'], roles: ['admin'] })
  const refused = ['text/plain', 'text/plain; charset=utf-8', 'text/plain;application/json', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'text/json', 'application/xml', 'application/octet-stream', 'application/csp-report', '*/*', 'application/*', 'json', 'application', 'application/jsonx', 'application/json1', 'xapplication/json', 'application/json-patch+json', 'application/vnd.api+json', 'application/json/x', 'text/plain,application/json', '__proto__', 'constructor']
  for (const type of refused) {
    for (const url of Object.keys(ROUTES)) {
      const answer = await call('POST', url, { body: evil, headers: { 'content-type': type } })
      t.match([answer.statusCode, answer.json().code], [415, 'unsupported_media_type'], `${url} ${type}`)
    }
  }
  const spellings = ['application/json', 'APPLICATION/JSON', 'Application/Json', ' application/json', 'application/json ', 'application/json;', 'application/json ;', 'application/json\t;charset=utf-8', '\tapplication/json', 'application/json\t', 'application/json ; charset=utf-8', 'application/json;charset=utf-16', 'application/json; charset=latin1', 'application/json;x', 'application/json;;', 'application/json x', 'application/json garbage', 'application/json,text/plain', 'application/json\u00a0', 'application/json; a="', 'application/ json', 'application /json', '']
  for (const type of spellings) {
    const answer = await raw(request('POST', '/v1/auth/register', `Content-Type: ${type}`, `Content-Length: ${evil.length}`), evil)
    await neverSkipsValidation(t, type, answer)
  }
  await neverSkipsValidation(t, 'two of them', await raw(request('POST', '/v1/auth/register', 'Content-Type: application/json', 'Content-Type: text/plain', `Content-Length: ${evil.length}`), evil))
  await neverSkipsValidation(t, undefined, await raw(request('POST', '/v1/auth/register', `Content-Length: ${evil.length}`), evil))
  t.equal((await call('POST', '/v1/auth/register', { body: evil, headers: { ...JSON_TYPE, 'content-encoding': 'gzip' } })).statusCode, 400, 'an encoding that is not undone changes nothing')
  t.strictSame(await sql(counts), [{ users: 0, spent: 0, revoked: 0 }])
})

t.test('names in any script come back as they were sent', async t => {
  const { call, sql } = await world(t)
  const names = ['Ω≈ç√∫', '田中さん', '👩‍👩‍👧‍👦', '‏العربية‏', 'e\u0301', 'é', ' spaces ', "Robert'); DROP TABLE users;--", '<script>alert(1)</script>', '#{7*7} {{7*7}}', '\u202eright to left', 'a\r\nb\tc', '\u200b', 'null', '%00', '\\', '\u2028\u2029', '😀'.repeat(100)]
  for (const [at, name] of names.entries()) {
    const answer = await call('POST', '/v1/auth/register', { body: { email: `n${at}@example.com`, password: PASSWORD, name } })
    t.equal(answer.json().user?.name, name, `name ${at}`)
  }
  t.strictSame((await sql<{ name: string }>('SELECT name FROM users ORDER BY created_at, id')).map(row => row.name).sort(), [...names].sort())
  t.equal((await call('POST', '/v1/auth/register', { body: { email: 'long@example.com', password: PASSWORD, name: 'x'.repeat(201) } })).json().errors[0].code, 'max_length')
})
