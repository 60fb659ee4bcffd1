import type { LightMyRequestResponse } from 'fastify'
import t from 'tap'
import { until } from '../helpers/until.ts'
import { PASSWORD, world, type Call } from '../helpers/world.ts'

const login = (call: Call, email: string, password: string, remoteAddress = '127.0.0.1') => call('POST', '/v1/auth/login', { body: { email, password, refresh: 'body' }, remoteAddress })
/** All that a stranger sees of an answer, but for what names the request and the second. */
const seen = ({ statusCode, headers: { 'x-request-id': _id, date: _date, ...headers }, body }: LightMyRequestResponse) => ({ statusCode, headers, body: body.replace(/"request_id":"[^"]{36}"/, '') })

for (const verified of ['false', 'true']) {
  t.test(`no answer to a failed sign-in tells whether the address has an account (addresses to be verified: ${verified})`, async t => {
    const { call, sql } = await world(t, { REQUIRE_VERIFIED_EMAIL: verified })
    for (const name of ['known', 'disabled', 'bare', 'unverified', 'damaged', 'capped']) await call('POST', '/v1/auth/register', { body: { email: `${name}@mail.test`, password: PASSWORD } })
    await sql("UPDATE users SET email_verified_at = now() WHERE email <> 'unverified@mail.test'")
    await sql("UPDATE users SET status = 2 WHERE email = 'disabled@mail.test'")
    await sql("DELETE FROM credential WHERE user_id = (SELECT id FROM users WHERE email = 'bare@mail.test')")
    await sql("UPDATE credential SET password_hash = 'x' WHERE user_id = (SELECT id FROM users WHERE email = 'damaged@mail.test')")
    await sql("UPDATE credential SET fail_unknown = 90 WHERE user_id = (SELECT id FROM users WHERE email = 'capped@mail.test')")
    t.equal((await login(call, 'known@mail.test', PASSWORD)).statusCode, 200, 'control')

    const wrong = seen(await login(call, 'known@mail.test', 'a wrong pass phrase'))
    t.match(wrong, { statusCode: 401, body: /"code":"invalid_credentials"/ })
    for (const [email, password] of [['unknown@mail.test', PASSWORD], ['unknown@mail.test', 'x'], ['disabled@mail.test', PASSWORD], ['disabled@mail.test', 'x'], ['bare@mail.test', PASSWORD], ['bare@mail.test', ''.padEnd(20, ' ')], ['damaged@mail.test', PASSWORD], ['capped@mail.test', PASSWORD], ['capped@mail.test', 'x'], ['unverified@mail.test', 'x'], ['no address', PASSWORD], ['known@mail.test@mail.test', PASSWORD], ["' OR 1=1 --", PASSWORD]] as const) {
      t.strictSame(seen(await login(call, email, password)), wrong, `${email} with ${password === PASSWORD ? 'the right' : 'a wrong'} password`)
    }
    const unverified = await login(call, 'unverified@mail.test', PASSWORD)
    if (verified === 'true') t.match([unverified.statusCode, unverified.json().code], [403, 'email_not_verified'], 'only the right password hears that the address is to be confirmed')
    else t.equal(unverified.statusCode, 200)
  })
}

t.test('where addresses are verified, signing up says the same for a new and a known address, and changes no known one', async t => {
  const { call, sql } = await world(t, { REQUIRE_VERIFIED_EMAIL: 'true' })
  const signUp = async (email: string, password = PASSWORD) => seen(await call('POST', '/v1/auth/register', { body: { email, password } }))
  const fresh = await signUp('ada@mail.test')
  t.match(fresh, { statusCode: 202, body: '{"status":"check_email"}' })
  const before = await sql('SELECT * FROM users, credential')
  t.strictSame(await signUp('ada@mail.test'), fresh)
  t.strictSame(await signUp('ADA@mail.test ', 'the pass phrase of somebody else'), fresh)
  t.strictSame(await sql('SELECT * FROM users, credential'), before)
  t.strictSame(await signUp('ada@mail.test', 'short'), await signUp('new@mail.test', 'short'), 'a weak password is refused alike')
  await sql('UPDATE users SET email_verified_at = now()')
  t.equal((await login(call, 'ada@mail.test', 'the pass phrase of somebody else')).statusCode, 401)
})

t.test('one mailbox is one account, however its address is written', async t => {
  const { call, sql } = await world(t)
  const signUp = (email: string) => call('POST', '/v1/auth/register', { body: { email, password: PASSWORD } })
  t.equal((await signUp(' Kate@Bücher.Example ')).json().user.email, 'kate@xn--bcher-kva.example')
  for (const email of ['kate@bücher.example', 'KATE@BÜCHER.EXAMPLE', 'kate@xn--bcher-kva.example', '\tkate@bu\u0308cher.example\n', '\u00a0kate@bücher.example\u2003', '\ufeffkate@bücher.example', 'kate@b\uff55\u0308cher.example']) {
    const answer = await signUp(email)
    t.match([answer.statusCode, answer.json().code], [409, 'email_taken'], JSON.stringify(email).replaceAll('\\', ''))
    t.equal((await login(call, email, PASSWORD)).statusCode, 200, 'and signs in to it')
  }
  for (const email of ['kate＠bücher.example', 'kate﹫bücher.example', 'kаte@bücher.example', 'ｋate@bücher.example', '\u212aate@bücher.example', 'kate\u200b@bücher.example', 'k\u0301ate@bücher.example', 'kate\u00ad@bücher.example', 'kate@bücher。example', 'kate@bücher.example.', 'kate@bücher.example\u200b']) {
    const answer = await signUp(email)
    t.match([answer.statusCode, answer.json().errors], [400, [{ pointer: '/email', code: 'format' }]], JSON.stringify(email).replaceAll('\\', ''))
    t.equal((await login(call, email, PASSWORD)).statusCode, 401)
  }
  for (const email of ['kate@bücher.example\0', '\0kate@bücher.example']) t.equal((await signUp(email)).json().code, 'malformed_request', 'NUL')
  t.strictSame(await sql('SELECT count(*)::int AS users FROM users'), [{ users: 1 }])
})

t.test('what is no address a mail could reach, or would reach another one, does not sign up', async t => {
  const { call } = await world(t)
  const signUp = (email: string) => call('POST', '/v1/auth/register', { body: { email, password: PASSWORD } })
  for (const email of ['abc', '@b.example', 'a@', 'a@b', 'a b@c.example', 'a@b@c.example', 'a@-b.example', 'a@b-.example', 'a@b..example', '.a@b.example', 'a.@b.example', 'a..b@c.example', 'a@[127.0.0.1]', 'a@127.0.0.1', 'a@1.2.3.4', 'a@localhost', '"a"@b.example', 'a@b.c', 'a@b.1x', `${'a'.repeat(65)}@b.example`, `a@${'b'.repeat(64)}.example`, `a@${'b.'.repeat(130)}example`, 'a@b.example\r\nBcc: c@d.example', 'a@b.example,c@d.example', 'a@b.example;c', '<a@b.example>', 'Ada <a@b.example>', 'a(comment)@b.example', 'mailto:a@b.example', 'a@b.example/x', 'a@b.example?x', 'a@b.example#x', 'a@b_c.example', 'a@%62.example', 'a@b:80.example', 'a\\@b.example', `${'('.repeat(300)}@b.example`]) {
    const answer = await signUp(email)
    t.match([answer.statusCode, answer.json().errors], [400, [{ pointer: '/email' }]], JSON.stringify(email).slice(0, 40).replaceAll('\\', ''))
  }
  for (const email of ["o'hara+tag@b.example", 'a@b.co', '1@2.example', 'x.y-z_w@a-b.c-d.example', `${'a'.repeat(64)}@b.example`]) t.equal((await signUp(email)).statusCode, 201, email)
  t.equal((await signUp('a'.repeat(60_000))).statusCode, 400)
})

t.test('ten sign-ups with one address at once on two nodes make exactly one account', async t => {
  const w = await world(t)
  const nodes = [w, await w.anotherNode()]
  for (let round = 0; round < 5; round++) {
    const body = (at: number) => ({ email: at % 2 ? `race${round}@mail.test` : `RACE${round}@mail.test `, password: `${PASSWORD} ${at}` })
    const answers = await Promise.all(Array.from({ length: 10 }, (_, at) => nodes[at % 2]!.call('POST', '/v1/auth/register', { body: body(at), remoteAddress: `192.0.2.${at}` })))
    t.strictSame(answers.map(answer => answer.statusCode).sort(), [201, ...Array(9).fill(409)], `round ${round}`)
    const winner = answers.findIndex(answer => answer.statusCode === 201)
    const signIns = await Promise.all(answers.map((_, at) => login(nodes[(at + 1) % 2]!.call, `race${round}@mail.test`, `${PASSWORD} ${at}`, `192.0.2.${at}`)))
    t.strictSame(signIns.flatMap(({ statusCode }, at) => statusCode === 200 ? [at] : []), [winner], 'and only its password opens it')
  }
  t.strictSame(await w.sql('SELECT (SELECT count(*)::int FROM users) AS users, (SELECT count(*)::int FROM credential) AS credentials'), [{ users: 5, credentials: 5 }])
})

t.test('an address that floods the sign-in is told when to come again, and another one gets through meanwhile', async t => {
  const { call, signUp, ctx } = await world(t, { ARGON2_PASSES: '5' })
  const { email } = await signUp()
  const { email: other } = await signUp()
  // A few each: more than ten would be refused for the account.
  const targets = [other, ...Array.from({ length: 29 }, (_, at) => `unknown${at}@mail.test`)]
  const flooding = Array.from({ length: 120 }, (_, at) => login(call, targets[at % 30]!, 'a wrong pass phrase', '203.0.113.1'))
  let over = false
  const answered = Promise.all(flooding).finally(() => { over = true })
  await until(() => ctx.passwords.waiting >= 8 || over, 60_000)
  t.notOk(over, 'it goes on')
  const neighbour = await login(call, email, PASSWORD, '198.51.100.7')
  t.equal(neighbour.statusCode, 200)
  const answers = await answered
  const busy = answers.filter(answer => answer.statusCode === 503)
  t.ok(busy.length > 0, `${busy.length} of ${answers.length} were refused`)
  t.ok(answers.every(answer => [401, 503].includes(answer.statusCode)))
  for (const answer of busy) {
    t.equal(answer.json().code, 'login_busy')
    t.match(answer.headers['retry-after'], /^[1-9]\d?$/)
  }
  t.equal((await login(call, email, PASSWORD, '203.0.113.1')).statusCode, 200, 'afterwards it may sign in too')
})
