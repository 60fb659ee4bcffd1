import fc from 'fast-check'

/** What is put in when the request is sent: proofs that live for a while, of every kind, also where another is expected. */
export const PLACEHOLDERS = ['access', 'admin', 'service', 'refresh', 'action', 'user_id', 'admin_id', 'client_id', 'client_secret', 'email'] as const
const placeholder = fc.constantFrom(...PLACEHOLDERS).map(name => `{{${name}}}`)

const HUGE = 'a'.repeat(70_000)
const deep = (open: string, close: string, depth: number): string => open.repeat(depth) + close.repeat(depth)

/** Text that has broken other services: limits, encodings, names of the language, other languages. */
const texts = [
  '', ' ', '\0', 'a\0b', '\u0001\u001b[31m', '\r\nX-Injected: 1', '\n', '\t', '\ufeff', '\u200b', '\u202eadmin', '\u2028', '\ud800', 'x\udc00y', '\ufffe', '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}', 'é', 'e\u0301', 'ﬀ', 'ß', 'İ', 'ſ',
  'null', 'undefined', 'NaN', 'true', '0', '-1', '1e309', '0x10', '1;2', '[]', '{}', '[object Object]', '__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'then', 'length', '$ref', '$where',
  '\'', '"', '\\', '`', '%', '%00', '%ff', '%u0000', '%2e%2e%2f', '../../etc/passwd', '..\\..\\', '//evil.example', 'javascript:alert(1)', '<script>alert(1)</script>', '#{7*7}', '{{7*7}}', '\'; DROP TABLE users; --', '" OR ""="', '1) OR (1=1', '*', '?', '(?:a+)+$', 'a'.repeat(300), 'é'.repeat(5_000), HUGE,
  'ada@example.com', 'ADA@EXAMPLE.COM', '@', 'a@', '@b', 'a@b', 'a@b@c', '"a b"@c.example', 'a@[127.0.0.1]', `${'a'.repeat(65)}@b.example`, `a@${'b'.repeat(260)}.example`, 'a@xn--', 'a@b.c\n', 'ada@exämple.com',
  '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '01930F4E-8A3B-7C2D-9E1F-0A1B2C3D4E5F', '01930f4e-8a3b-7c2d-9e1f-0a1b2c3d4e5f',
  '2026-02-31T00:00:00Z', '9999-12-31T23:59:60Z', '0000-01-01T00:00:00Z', '2026-11-24T10:00:00.000Z', '+275760-09-13T00:00:00.000Z', '2026-11-24T10:00:00+25:00',
  'eyJhbGciOiJub25lIn0.e30.', 'a.b.c', '..', 'e30.e30.e30', `${'A'.repeat(4_000)}.${'B'.repeat(4_000)}.C`,
]
const numbers = [0, -0, 1, -1, 0.5, 1e21, 1e308, 2 ** 31, 2 ** 53, -(2 ** 63), 101]

export const nastyText: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...texts) },
  { weight: 3, arbitrary: placeholder },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  { weight: 1, arbitrary: placeholder.map(text => `${text}x`) }
)

/** Operators of the object mapper among them: no object may pass for a scalar. */
const objects: unknown[] = [
  {}, [], [[]], [null], { not: '' }, { contains: '@' }, { gt: '' }, { in: ['a'] }, { equals: null }, { set: 'x' }, { increment: 1 }, { path: ['a'], equals: 1 }, { OR: [] }, { toString: 1 }, { length: 1e9 }, { then: 1 }, { toJSON: 'x' }, { type: 'Buffer', data: [1] }, { $type: 'x' }, ['a', 'a'], Array.from({ length: 2_000 }, () => 'a'),
]
export const nastyValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 5, arbitrary: nastyText as fc.Arbitrary<unknown> },
  { weight: 2, arbitrary: fc.constantFrom<unknown>(null, true, false, ...numbers) },
  { weight: 3, arbitrary: fc.constantFrom<unknown>(...objects) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) }
)

export const strangeNames = ['__proto__', 'constructor', 'prototype', 'toString', 'role', 'roles', 'isAdmin', 'id', 'email_verified', 'password_hash', 'status', 'epoch', 'claims', '', ' ', '\0', 'a/b~c', '\ud800', 'é', 'x'.repeat(2_000)]

/** Bodies that no serialiser would write. */
export const brokenBodies = [
  '', ' ', '{', '}', '{"a":', '{"a":1,}', '[1,]', '{a:1}', '{"a":1}{"a":1}', '{"a":NaN}', '{"a":01}', '{"a":"\\ud800"}', '{"a":"\\u0000"}', '{"a":"\u0000"}', '\ufeff{}', '/* */{}', '"text"', '1', 'null', 'true', '{"__proto__":{"polluted":1}}', '{"constructor":{"prototype":{"polluted":1}}}', '{"\\u005f_proto__":{"polluted":1}}',
  deep('[', ']', 20), deep('[', ']', 30_000), `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`, `{${Array.from({ length: 5_000 }, (_, i) => `"${i}":1`).join()}}`, `{"a":"${HUGE}"}`, `{"a":${'9'.repeat(60_000)}}`, 'a=1&a=2', 'a=%zz', '%00=1', '=', '&&&', 'grant_type=client_credentials&grant_type=x', 'token[]=1', 'token[__proto__]=1', '__proto__=1&constructor=2', '<a/>', '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--',
]
export const brokenBytes = ['ff', 'c0af', '7b2261223a22ff227d', 'eda080', '1f8b08', 'fffe7b007d00', '00']

export const contentTypes = ['text/plain', 'application/json; charset=utf-16', 'application/json;', 'APPLICATION/JSON', 'application/json; charset="utf-8"', 'application/json ;', 'application/jsonx', 'application/json, text/plain', 'application/vnd.api+json', 'multipart/form-data; boundary=x', 'multipart/form-data', 'application/x-www-form-urlencoded', 'application/x-www-form-urlencoded; charset=latin1', '*/*', 'json', '', 'application/json; __proto__=1', 'application/octet-stream', 'text/html', `application/json; a=${'b'.repeat(3_000)}`]

export const strangeHeaders: Record<string, string[]> = {
  accept: ['', '*/*;q=x', 'text/html', 'a'.repeat(5_000)],
  'accept-encoding': ['gzip;q=2', '__proto__', '*'],
  'accept-language': ['xx-XX', '*', ',,,', 'de;q=NaN'],
  origin: ['null', 'https://evil.example', 'http://localhost:3000', '', 'http://localhost:3000.evil.example'],
  'sec-fetch-site': ['cross-site', 'same-origin', 'x'],
  'x-forwarded-for': ['127.0.0.1', '::1, ::2', 'x', '1.2.3.4, '.repeat(300)],
  'x-forwarded-host': ['evil.example'],
  host: ['', 'evil.example', 'a:99999', '[::1', 'a b'],
  'if-match': ['*', '"1"', 'W/"1"', '"', 'x', '"a", "b"', `"${'9'.repeat(400)}"`],
  'if-none-match': ['*', '"', 'W/"x"', ','.repeat(2_000)],
  'if-modified-since': ['yesterday', 'Thu, 01 Jan 1970 00:00:00 GMT'],
  'idempotency-key': ['', ' ', 'k', 'é', 'a'.repeat(256), 'a'.repeat(9_000), '__proto__', 'one key'],
  'user-agent': ['', 'é', 'a'.repeat(6_000), '%s%n', '\u00ff\u00fe', '\'; --'],
  cookie: ['__Host-rt={{refresh}}', '__Host-rt={{access}}', '__Host-rt=', '__Host-rt=a; __Host-rt=b', '__proto__=1; constructor=2', ';;;=;', `a=${'b'.repeat(8_000)}`, '__Host-dev={{refresh}}', '__Host-rt=%00', '__Host-rt="x'],
  'content-encoding': ['gzip', 'br', 'x'],
  'content-length': ['x', '-1'],
  'last-event-id': ['x', '__proto__', 'a'.repeat(3_000)],
  'x-http-method-override': ['DELETE'],
  'x-request-id': ['x\u00ff', 'a'.repeat(3_000)],
  expect: ['x'],
  range: ['bytes=0-1', 'bytes=9-0'],
  upgrade: ['h2c'],
  forwarded: ['for=x;host=evil.example'],
  date: ['x'],
}

export const authorizations = ['', 'Bearer', 'Bearer ', 'Bearer x', 'Basic', 'Basic x', 'Basic Og==', 'Basic OjoOg==', 'Basic eDp5', 'Basic JTAwOiUwMA==', 'Basic JTp4', 'Negotiate x', 'Bearer {{refresh}}', 'Bearer {{action}}', 'Bearer {{access}}x', 'Bearer {{access}}, Bearer {{access}}', 'bearer {{admin}}', 'Bearer eyJhbGciOiJub25lIn0.e30.', 'Bearer eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6Il9fcHJvdG9fXyJ9.e30.AAAA', `Bearer ${'a'.repeat(9_000)}`, 'Bearer {{service}}', '{{access}}', 'é']
