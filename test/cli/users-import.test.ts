import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { cli, refusedBecause } from '../helpers/cli.ts'
import { databaseLink } from '../helpers/database-link.ts'
import { freshDatabase, sqlTo, type Sql } from '../helpers/database.ts'
import { temporaryFolder } from '../helpers/own-postgres.ts'
import { MAIN } from '../helpers/processes.ts'
import { until } from '../helpers/until.ts'
import { world } from '../helpers/world.ts'

const PASSWORD = 'correct horse battery staple'
const BCRYPT = '$2b$06$Wyd98bi9J3Wt2Y5mBDDcIeonTmf9NUhg2d0L294hUz/8pXJ.IEmRu'
const user = (n: number, more: object = {}): object => ({ email: `user${n}@example.com`, email_verified: true, name: `User ${n}`, password_hash: BCRYPT, ...more })
const ndjson = (lines: readonly (object | string)[]): string => lines.map(line => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join('')
const many = (count: number): object[] => Array.from({ length: count }, (_, n) => user(n))

async function fileOf (t: Test, lines: readonly (object | string)[]): Promise<string> {
  const file = join(await temporaryFolder(t), 'users.ndjson')
  await writeFile(file, ndjson(lines))
  return file
}

function start (t: Test, args: string[], databaseUrl: string): { child: ChildProcess, stderr: () => string, ended: Promise<[number | null, string | null]> } {
  const child = spawn(process.execPath, [MAIN, 'users', 'import', ...args], { env: { PATH: process.env['PATH'], DATABASE_URL: databaseUrl }, stdio: ['pipe', 'ignore', 'pipe'] })
  t.teardown(() => { child.kill('SIGKILL') })
  child.stdin!.on('error', () => {})
  let stderr = ''
  child.stderr!.on('data', chunk => { stderr += chunk })
  return { child, stderr: () => stderr, ended: once(child, 'close') as Promise<[number | null, string | null]> }
}

const accounts = async (sql: Sql): Promise<number> => (await sql<{ n: number }>('SELECT count(*)::int AS n FROM users'))[0]!.n

/** Each account has its credential and exactly one event that says that it came so. */
async function wholeAccounts (t: Test, sql: Sql, expected: number): Promise<void> {
  t.strictSame(await sql(`SELECT count(*)::int AS users, count(c.user_id)::int AS credentials, sum(e.n)::int AS events, max(e.n)::int AS most
    FROM users u LEFT JOIN credential c ON c.user_id = u.id
    LEFT JOIN LATERAL (SELECT count(*) AS n FROM audit_event a WHERE a.user_id = u.id AND a.type = 'account.created' AND a.actor = 'cli' AND a.data = '{"imported": true}') e ON true`),
  [{ users: expected, credentials: expected, events: expected, most: 1 }])
  t.strictSame(await sql('SELECT count(*)::int AS n FROM audit_event'), [{ n: expected }], 'and no event without an account')
}

t.test('an imported user signs in with the old password, and is hashed as everybody is from then on', async t => {
  const w = await world(t)
  const firebase = { algorithm: 'firebase-scrypt', hash: 'lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==', salt: '42xEC+ixf3L2lw==', signer_key: 'jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==', salt_separator: 'Bw==', rounds: 8, mem_cost: 14 }
  const file = await fileOf(t, [user(1, { roles: ['staff'], claims: { tenant: 't1' } }), { email: 'fire@example.com', password: firebase }, { email: 'none@example.com' }, user(4, { status: 'disabled' })])
  t.match(await cli(t, ['users', 'import', file], { DATABASE_URL: w.databaseUrl }), { code: 0, stdout: '4 lines: 4 imported, 0 already there, 0 refused\n' })
  const login = async (email: string, password: string) => (await w.call('POST', '/v1/auth/login', { body: { email, password, refresh: 'body' } })).statusCode
  for (const [email, password] of [['user1@example.com', PASSWORD], ['fire@example.com', 'user1password']] as const) {
    t.equal(await login(email, `${password}!`), 401)
    t.equal(await login(email, password), 200)
    t.match(await w.sql('SELECT password_hash FROM credential JOIN users ON id = user_id WHERE email = $1', [email]), [{ password_hash: /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/ }])
    t.equal(await login(email, password), 200)
  }
  for (const email of ['none@example.com', 'user4@example.com']) t.equal(await login(email, PASSWORD), 401, email)
  t.match(await cli(t, ['users', 'import', file], { DATABASE_URL: w.databaseUrl }), { code: 0, stdout: '4 lines: 0 imported, 4 already there, 0 refused\n' }, 'also once a hash is another')
})

t.test('an account that was deleted and is imported again: sessions of before stay ended', async t => {
  const w = await world(t)
  const file = await fileOf(t, [user(1, { id: '0190a5c4-8c3a-7000-8000-000000000001' })])
  const imported = async () => await cli(t, ['users', 'import', file], { DATABASE_URL: w.databaseUrl })
  const signedIn = async () => (await w.call('POST', '/v1/auth/login', { body: { email: 'user1@example.com', password: PASSWORD, refresh: 'body' } })).json<{ refresh_token: string }>().refresh_token
  await imported()
  const before = await signedIn()
  await w.sql('DELETE FROM users')
  await w.sql('DELETE FROM credential')
  await new Promise(resolve => setTimeout(resolve, 1_100))
  t.match(await imported(), { code: 0, stdout: '1 lines: 1 imported' })
  t.match((await w.refresh(before)).json(), { code: 'session_ended' })
  t.equal((await w.refresh(await signedIn())).statusCode, 200)
})

t.test('refused lines are told by number and reason, never by what they have; the others are in', async t => {
  const databaseUrl = await freshDatabase(t)
  const sql = await sqlTo(t, databaseUrl)
  await sql('INSERT INTO users (id, email) VALUES (gen_random_uuid(), \'taken@example.com\')')
  const id = '0190a5c4-8c3a-7000-8000-000000000001'
  const file = await fileOf(t, [
    user(1), '', user(1, { name: 'Another' }), user(2, { email: 'TAKEN@example.com' }), user(3, { id }), user(4, { id }), '{"email":"swordfish', user(5, { password_hash: 'swordfish' }), user(6, { roles: ['a b'] }),
    `{"email":"long@example.com","name":"${'swordfish'.repeat(8_000)}"}`, user(1), '{"email":"a@example.com","__proto__":{}}', user(7),
  ])
  const report = join(await temporaryFolder(t), 'refused.ndjson')
  const refused = [[3, 'email_taken'], [4, 'email_taken'], [6, 'id_taken'], [7, 'not_json'], [8, 'unknown_hash'], [9, 'invalid_member'], [10, 'line_too_long'], [12, 'unknown_member']]
  const env = { DATABASE_URL: databaseUrl }
  const dry = await cli(t, ['users', 'import', file, '--dry-run'], env)
  t.match(dry, { code: 1, stdout: /^13 lines: \d+ would be imported/ })
  t.equal(await accounts(sql), 1, 'a rehearsal writes nothing')
  for (const [batch, counts] of [['1', '3 imported, 1 already'], ['1000', '0 imported, 4 already']] as const) {
    t.match(await cli(t, ['users', 'import', file, '--report', report, '--batch', batch], env), { code: 1, stdout: `13 lines: ${counts} there, 8 refused\n` })
    const text = await readFile(report, 'utf8')
    t.strictSame(text.trim().split('\n').map(line => JSON.parse(line) as { line: number, code: string }).map(({ line, code }) => [line, code]), refused)
    t.notMatch(text, /swordfish|\$2b/)
  }
  t.equal((await stat(report)).mode & 0o777, 0o600)
  t.match((await cli(t, ['users', 'import', file], env)).stderr, /line 3: email_taken: .*\n.*line 12: unknown_member: /s, 'without a report they are printed')
  t.equal(await accounts(sql), 4)
  for (const args of [[], [file, file], [file, '--batch', '0'], [file, '--batch', '9999'], [file, '--unknown'], ['--dry-run']]) t.equal((await cli(t, ['users', 'import', ...args], env)).code, 2, args.join(' '))
  refusedBecause(t, await cli(t, ['users', 'import', '/nowhere/x'], env), /file \/nowhere\/x cannot be read \(ENOENT\)/)
  refusedBecause(t, await cli(t, ['users', 'import', '/'], env), /file \/ cannot be read \(EISDIR\)/)
  refusedBecause(t, await cli(t, ['users', 'import', file, '--report', file], env), /report would overwrite/)
})

t.test('killed at any moment and run again: nobody is half there, nobody twice', async t => {
  const databaseUrl = await freshDatabase(t)
  const sql = await sqlTo(t, databaseUrl)
  const count = 12_000
  const file = await fileOf(t, many(count))
  let kills = 0
  for (const part of [0.1, 0.4, 0.7]) {
    const { child, ended } = start(t, [file, '--batch', '40'], databaseUrl)
    await until(async () => await accounts(sql) >= count * part, 30_000)
    await new Promise(resolve => setTimeout(resolve, Math.random() * 20))
    child.kill('SIGKILL')
    if ((await ended)[1] === 'SIGKILL') kills++
    // What the server was at when its client died, it finishes or forgets.
    await until(async () => (await sql('SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = \'stateless-auth\'')).length === 0, 5_000)
    await wholeAccounts(t, sql, await accounts(sql))
  }
  t.ok(kills >= 2, 'it was killed at work')
  const [before, { code, stdout }] = [await accounts(sql), await cli(t, ['users', 'import', file], { DATABASE_URL: databaseUrl })]
  t.match({ code, stdout }, { code: 0, stdout: `${count} lines: ${count - before} imported, ${before} already there, 0 refused\n` })
  await wholeAccounts(t, sql, count)
})

t.test('two at once with one file, in two orders, and sign-ups for some of its addresses: each address has one account', async t => {
  const w = await world(t)
  const lines = many(2_000)
  const files = [await fileOf(t, lines), await fileOf(t, lines.toReversed())]
  const imports = Promise.all(files.map(async file => await cli(t, ['users', 'import', file, '--batch', '100'], { DATABASE_URL: w.databaseUrl })))
  const signUps: number[] = []
  for (let n = 0; n < 2_000; n += 100) signUps.push((await w.call('POST', '/v1/auth/register', { body: { email: `user${n}@example.com`, password: 'a long enough pass phrase' } })).statusCode)
  const [one, other] = (await imports).map(({ stdout }) => /^2000 lines: (\d+) imported, (\d+) already there, (\d+) refused\n$/.exec(stdout)!.slice(1).map(Number) as [number, number, number]) as [[number, number, number], [number, number, number]]
  const registered = signUps.filter(status => status === 201).length
  t.equal(one[0] + other[0] + registered, 2_000)
  t.strictSame([one[2], other[2]], [registered, registered], 'who signed up keeps the address')
  t.equal(await accounts(w.sql), 2_000)
  t.strictSame(await w.sql('SELECT count(*)::int AS n FROM credential'), [{ n: 2_000 }])
})

t.test('Ctrl-C finishes what is read and says how to go on', async t => {
  const databaseUrl = await freshDatabase(t)
  const sql = await sqlTo(t, databaseUrl)
  const { child, stderr, ended } = start(t, ['-', '--batch', '10'], databaseUrl)
  child.stdin!.write(ndjson(many(25)))
  await until(async () => await accounts(sql) >= 10, 20_000)
  child.kill('SIGINT')
  t.strictSame(await ended, [1, null])
  t.match(stderr(), 'Stopped after line 25, with everything up to there done. Run the same command again to go on.\n')
  await wholeAccounts(t, sql, 25)
})

t.test('a database that goes away is one sentence, and the import goes on from there', async t => {
  const databaseUrl = await freshDatabase(t)
  const sql = await sqlTo(t, databaseUrl)
  const link = await databaseLink(t, databaseUrl)
  const file = await fileOf(t, many(6_000))
  const { stderr, ended } = start(t, [file, '--batch', '20'], link.url)
  await until(async () => await accounts(sql) >= 500, 30_000)
  await link.cut()
  t.strictSame(await ended, [1, null])
  t.match(stderr(), /^The database cannot be reached\. Everything up to line \d+ is done; run the same command again to go on\.\n$/)
  const line = Number(/line (\d+)/.exec(stderr())![1])
  const there = await accounts(sql)
  t.ok(line >= 500 && line <= there && there < 6_000, `${line} of ${there}`)
  await wholeAccounts(t, sql, there)
  await link.mend()
  t.match(await cli(t, ['users', 'import', file], { DATABASE_URL: link.url }), { code: 0, stdout: `6000 lines: ${6_000 - there} imported, ${there} already there, 0 refused\n` })
})

t.test('what is exported and imported elsewhere is exported the same, hashes only where they are asked for', async t => {
  const [one, other, third] = [await freshDatabase(t), await freshDatabase(t), await freshDatabase(t)] as [string, string, string]
  const sql = await sqlTo(t, one)
  const rich = {
    roles: ['admin', 'a:b'], claims: { tenant: 't1', list: [1, 2.5, null, { deep: true }], text: '\u{1f600} "\\' }, locale: 'de-AT', profile: { city: 'Wien', n: 1e21 },
    status: 'disabled', email_verified: '2021-02-03T04:05:06.789012Z', created_at: '2020-01-02T03:04:05.000001+01:00',
  }
  const file = await fileOf(t, [...many(1_500), user(2_000, rich), { email: 'bare@example.com' }, user(2_001, { email_verified: true, created_at: '2019-01-01T00:00:00Z' })])
  t.equal((await cli(t, ['users', 'import', file], { DATABASE_URL: one })).code, 0)
  await sql("UPDATE credential SET password_hash = '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g' WHERE user_id = (SELECT id FROM users WHERE email = 'user5@example.com')")
  const exported = async (url: string, ...more: string[]) => (await cli(t, ['users', 'export', ...more], { DATABASE_URL: url })).stdout
  const [plain, full] = [await exported(one), await exported(one, '--with-hashes')]
  t.notMatch(plain, /password|\$2b|argon2/)
  t.equal(full.split('\n').length, 1_504)
  t.match(full.split('\n').map(line => line && JSON.parse(line) as object).find(line => (line as { email?: string }).email === 'user2000@example.com'), { ...rich, created_at: '2020-01-02T02:04:05.000001Z', password_hash: BCRYPT })
  for (const [text, url, flags] of [[full, other, ['--with-hashes']], [plain, third, []]] as const) {
    const again = join(await temporaryFolder(t), 'again.ndjson')
    await writeFile(again, text)
    t.match(await cli(t, ['users', 'import', again], { DATABASE_URL: url }), { code: 0, stdout: '1503 lines: 1503 imported, 0 already there, 0 refused\n' })
    t.equal(await exported(url, ...flags), text)
  }
  t.equal((await cli(t, ['users', 'export', 'x'], { DATABASE_URL: one })).code, 2)
})
