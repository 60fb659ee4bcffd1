import { dictionary } from '@zxcvbn-ts/language-common'
import argon2 from 'argon2'
import t from 'tap'
import { forgetCounters } from '../helpers/limits.ts'
import { PASSWORD, world, type World } from '../helpers/world.ts'

const EMOJI = [...'😀😁😂🤣😃😄😅😆😉😊😋😎😍😘🥰😗']
const address = (() => { let count = 0; return () => `user${++count}@mail.test` })()
const register = ({ call }: Pick<World, 'call'>, password: string, more: object = {}) => call('POST', '/v1/auth/register', { body: { email: address(), password, ...more } })
const login = ({ call }: Pick<World, 'call'>, email: string, password: string, remoteAddress = '127.0.0.1') => call('POST', '/v1/auth/login', { body: { email, password, refresh: 'body' }, remoteAddress })

t.test('a password has at least fifteen characters, counted as people count them, and at most 256', async t => {
  const w = await world(t)
  const varied = (length: number) => Array.from({ length }, (_, at) => 'kqxzjvwbpygf ułż7'[(at * 7 + Math.floor(at / 5)) % 17]).join('')
  const cases: [string, number, string?][] = [
    [varied(14), 400, 'too_short'], [varied(15), 201], [varied(64), 201], [varied(256), 201], [varied(257), 400, 'too_long'],
    [EMOJI.slice(0, 14).join(''), 400, 'too_short'], [EMOJI.slice(0, 15).join(''), 201], [EMOJI.slice(0, 4).join('').repeat(64), 400, 'repetitive'],
    [[...Array(256).keys()].map(at => String.fromCodePoint(0x1f300 + at)).join(''), 201],
    ['e\u0301'.repeat(2) + varied(11), 400, 'too_short'],
    ['', 400], ['x'.repeat(1_025), 400],
  ]
  for (const [password, status, weakness] of cases) {
    const answer = await register(w, password)
    const name = `${[...password].length} characters, ${Buffer.byteLength(password)} bytes`
    t.equal(answer.statusCode, status, name)
    if (weakness) t.match(answer.json(), { code: 'weak_password', errors: [{ pointer: '/password', code: weakness, message: /./ }] }, name)
    else if (status === 400) t.match(answer.json(), { code: 'invalid_request', errors: [{ pointer: '/password' }] }, name)
  }
  const short = await world(t, { PASSWORD_MIN_LENGTH: '8' })
  t.equal((await register(short, varied(7))).json().code, 'weak_password')
  t.equal((await register(short, varied(8))).statusCode, 201)
})

t.test('a password may hold whatever a keyboard types, and no rule asks for digits or capitals', async t => {
  const w = await world(t)
  const printable = Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at)).join('')
  for (const password of [printable, 'only lower case letters here', 'ONLY UPPER CASE LETTERS HERE', '83650 27491 60538', ' t h e s p a c e s c o u n t ', 'пароль из многих слов', '密码是一个很长的句子而且没有人知道', "'; DROP TABLE users; --", '$argon2id$v=19$m=8,t=1,p=1$', '%00%0d%0a {jndi:ldap://x}', '\u202eright to left again', 'tab\tand\nline break inside']) {
    const created = await register(w, password)
    t.equal(created.statusCode, 201, JSON.stringify(password).slice(0, 30).replaceAll('\\', ''))
    t.equal((await login(w, created.json().user.email, password)).statusCode, 200)
  }
})

t.test('a password counts exactly as it was set: every letter, space and byte, but not how é was typed', async t => {
  const w = await world(t)
  const password = ` Pässword der Ünvergeßlichen ﬁsche ${'x7'.repeat(40)} `
  const { email } = (await register(w, password)).json().user
  t.equal((await login(w, email, password)).statusCode, 200)
  t.equal((await login(w, email, password.normalize('NFD'))).statusCode, 200, 'typed with combining accents')
  const others = {
    'in lower case': password.toLowerCase(),
    'in upper case': password.toUpperCase(),
    'without its first space': password.slice(1),
    'without its last space': password.trimEnd(),
    'with a space more': `${password} `,
    'of its first 72 bytes': Buffer.from(password).subarray(0, 72).toString(),
    'of its first 100 characters': password.slice(0, 100),
    'with a compatible letter': password.normalize('NFKC'),
    'without accents': password.normalize('NFD').replaceAll(/\p{M}/gu, ''),
    'as a longer text': `${password}${'x'.repeat(200)}`
  }
  for (const [name, other] of Object.entries(others)) {
    t.not(other, password)
    await forgetCounters(w.sql)
    t.equal((await login(w, email, other)).statusCode, 401, `the password ${name} is another one`)
  }
})

t.test('passwords that are tried first are refused with the reason', async t => {
  const w = await world(t, { PASSWORD_MIN_LENGTH: '8' })
  const common = (dictionary['passwords-common'] as string[]).filter(password => password.length >= 8)
  t.ok(common.length > 3_000, `${common.length} of the list are long enough`)
  const refusals = new Set<string>()
  const rest = [...common.slice(0, 3_000), ...common.slice(-200)]
  while (rest.length > 0) for (const answer of await Promise.all(rest.splice(0, 8).map(async password => await register(w, password)))) refusals.add(answer.json().code)
  t.strictSame([...refusals], ['weak_password'])

  const cases: Record<string, [string, object?]> = {
    password123456789: ['common'],
    PasswordPassword: ['common'],
    iloveyousunshine: ['common'],
    '!!!password2024!': ['common'],
    aaaaaaaaaaaaaaaa: ['repetitive'],
    abcabcabcabcabcabc: ['repetitive'],
    123456789012345: ['repetitive'],
    qwertyuiopasdfgh: ['repetitive'],
    zyxwvutsrqponmlkj: ['repetitive'],
    '1qaz2wsx3edc4rfv': ['repetitive'],
    'Stateless-Auth 2026': ['contextual'],
    'lovelace lovelace1': ['contextual', { name: 'Ada Lovelace' }],
    babbagecharles77: ['contextual', { email: 'charles.babbage@mail.test' }],
    'enginehouse2026!': ['contextual', { email: 'x@enginehouse.test' }],
  }
  const strict = await world(t)
  for (const [password, [weakness, more]] of Object.entries(cases)) {
    const { code, errors } = (await register(strict, password, more)).json()
    t.equal(code, 'weak_password', password)
    t.ok(errors?.some((error: { code: string }) => error.code === weakness), `${password}: ${JSON.stringify(errors)}`)
  }
})

t.test('stored are argon2id hashes of the recommended cost, each with a salt of its own', async t => {
  const w = await world(t)
  await Promise.all([w.signUp(), w.signUp()])
  const hashes = (await w.sql<{ password_hash: string }>('SELECT password_hash FROM credential')).map(row => row.password_hash)
  for (const hash of hashes) t.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22,}\$[A-Za-z0-9+/]{43}$/)
  t.equal(new Set(hashes.map(hash => hash.split('$')[4])).size, 2, 'different salts for the same password')
  t.equal(await argon2.verify(hashes[0]!, PASSWORD), true, 'another reader of the format agrees')
})

t.test('a damaged or hostile stored hash is a wrong password, and costs nothing more', async t => {
  const w = await world(t)
  const { email, id } = await w.signUp()
  const [{ password_hash: good }] = await w.sql<{ password_hash: string }>('SELECT password_hash FROM credential') as [{ password_hash: string }]
  const before = process.memoryUsage.rss()
  const [, , , , salt, digest] = good.split('$')
  const hashes = ['', 'x', PASSWORD, '$argon2id$', good.slice(0, -1), `${good}x`, good.replace('argon2id', 'argon2i'), good.replace('v=19', 'v=16'), `$argon2id$v=19$m=4294967295,t=2,p=1$${salt}$${digest}`, `$argon2id$v=19$m=1048577,t=2,p=1$${salt}$${digest}`,
    `$argon2id$v=19$m=19456,t=4294967295,p=1$${salt}$${digest}`, `$argon2id$v=19$m=19456,t=2,p=255$${salt}$${digest}`, `$argon2id$v=19$m=0,t=0,p=0$${salt}$${digest}`, `$argon2id$v=19$m=19456,t=2,p=1$$${digest}`, '$2b$10$abcdefghijklmnopqrstuuMN3Wm1cWmvX3Qq4q9bK6e5h6Wy3iVnS', '\u0001']
  for (const hash of hashes) {
    await w.sql('UPDATE credential SET password_hash = $1 WHERE user_id = $2', [hash, id])
    await forgetCounters(w.sql)
    const answer = await login(w, email, PASSWORD)
    t.match([answer.statusCode, answer.json().code], [401, 'invalid_credentials'], hash.slice(0, 40))
  }
  t.ok(process.memoryUsage.rss() - before < 300 * 1024 * 1024, 'no hash took the memory it asked for')
  await w.sql('UPDATE credential SET password_hash = $1 WHERE user_id = $2', [good, id])
  t.equal((await login(w, email, PASSWORD)).statusCode, 200)
})

t.test('a hash of a cheaper time is renewed at the next sign-in, and good on every node', async t => {
  const w = await world(t)
  const other = await w.anotherNode()
  const { email } = await w.signUp()
  const old = await argon2.hash(PASSWORD, { type: argon2.argon2id, memoryCost: 7_168, timeCost: 5, parallelism: 1 })
  const stored = async () => (await w.sql<{ password_hash: string }>('SELECT password_hash FROM credential'))[0]!.password_hash
  for (const form of [old, old.replace(/,(t=\d+),(p=\d+)\$/, ',$2,$1$')]) {
    await w.sql('UPDATE credential SET password_hash = $1', [form])
    t.equal((await login(w, email, 'wrong')).statusCode, 401)
    t.equal(await stored(), form, 'a wrong password renews nothing')
    t.equal((await login(w, email, PASSWORD)).statusCode, 200)
    t.match(await stored(), '$argon2id$v=19$m=19456,t=2,p=1$')
    t.equal((await login(other, email, PASSWORD)).statusCode, 200)
  }
})

t.test('what was typed as a password is in no answer and in no log line', async t => {
  const w = await world(t)
  // No token, digest or id has a tilde, and no encoding takes it away.
  const canary = 'canary-Z~7 flies at noon'
  const { email } = (await register(w, canary)).json().user
  const answers = [
    await login(w, email, canary), await login(w, email, `${canary}!`), await login(w, 'nobody@mail.test', canary), await register(w, canary, { email }), await register(w, canary.slice(0, 10)), await register(w, canary.repeat(60)),
    await w.call('POST', '/v1/auth/login', { body: { email, password: canary, unknown: canary } }), await w.call('POST', '/v1/auth/login', { body: { email: canary, password: [canary] } }),
    await w.call('POST', '/v1/auth/login', { body: `{"email":"${email}","password":"${canary}`, headers: { 'content-type': 'application/json' } }),
    await w.call('POST', `/v1/auth/login?password=${encodeURIComponent(canary)}`, { body: {} }), await w.call('GET', `/nowhere/${encodeURIComponent(canary)}`),
    await w.call('POST', '/v1/auth/login', { body: `password=${canary}`, headers: { 'content-type': 'application/x-www-form-urlencoded' } }),
  ]
  await w.sql('ALTER TABLE users RENAME TO hidden_users')
  answers.push(await w.app.inject({ method: 'POST', url: '/v1/auth/register', payload: { email: address(), password: canary } }), await w.app.inject({ method: 'POST', url: '/v1/auth/login', payload: { email, password: canary } }))
  t.equal(answers.at(-1)!.statusCode, 500)
  const everything = JSON.stringify([w.logLines(), answers.map(answer => [answer.headers, answer.body])])
  t.ok(w.logLines().length >= 14)
  t.notMatch(everything, /canary|Z~7|flies/)
  const dump = JSON.stringify(await w.sql('SELECT * FROM hidden_users, credential'))
  t.notMatch(dump, /canary|Z~7|flies/)
})
