import { execFile } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { freshDatabase } from '../helpers/database.ts'
import { startProcess } from '../helpers/processes.ts'

const run = promisify(execFile)
const HERE = 'U=http://localhost:3000'

/** The shell blocks of a document, in order, as one script. */
const shellOf = (document: string): string => [...readFileSync(document, 'utf8').matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block]) => block).join('\n')

/** Stands for the eyes that find a link in the mail that the service prints. Each is asked for once in a document. */
const TOKEN_IN_MAIL = `token_in_mail() {
  for _ in $(seq 200); do
    found=$(grep -o "/$1#token=[A-Za-z0-9_.-]*" "$MAIL" | tail -n 1 | cut -d= -f2- || true)
    if [ -n "$found" ]; then echo "$found"; return; fi
    sleep 0.1
  done
  return 1
}`
const LINKS = ['verify-email', 'reset-password', 'confirm-email-change']

async function follow (t: Test, script: string): Promise<string> {
  const folder = t.testdir()
  const database = await freshDatabase(t)
  const node = await startProcess(t, database)
  const mail = join(folder, 'mail')
  const printing = setInterval(() => { writeFileSync(mail, node.lines.join('\n')) }, 50)
  t.match(script, HERE)
  const links = LINKS.values()
  const there = script.replaceAll(HERE, `U=${node.url}`).replaceAll(/^token=….*$/gm, () => `token=$(token_in_mail ${links.next().value})`)
  try {
    return (await run('bash', ['-euo', 'pipefail', '-c', `${TOKEN_IN_MAIL}\n${there}`], { env: { ...process.env, DATABASE_URL: database, MAIL: mail } })).stdout
  } finally { clearInterval(printing) }
}

t.test('the tour in the README works as it is printed', async t => {
  const tour = /## A tour in twenty lines\s+```sh\n([\s\S]*?)```/.exec(readFileSync('README.md', 'utf8'))![1]!
  const stdout = await follow(t, tour)
  t.match(stdout, /"email":"ada@example.com"/)
  t.match(stdout, /"amr":\["pwd"\]/, 'verify answered with the claims')
  t.match(stdout, /\nsame\n|\}same\n/, 'a refresh asked for again brought the same successor')
  t.match(stdout, /"code":"invalid_token"[^\n]*$/, 'after logout the token is refused')
})

t.test('every block of the quick start works as it is printed; the first is what newcomers run in the other checks', async t => {
  const script = shellOf('docs/quick-start.md')
  const start = 'npm ci && npm start\n'
  t.ok(script.startsWith(start))
  const stdout = await follow(t, script.slice(start.length))
  t.match(stdout, /"email":"grace@example.com"/)
  t.match(stdout, /the same next token\n/)
  t.match(stdout, /"code":"invalid_token"[^\n]*$/, 'after logout the token is refused')
  t.notOk(existsSync('one') || existsSync('two'), 'it leaves nothing behind')
})

t.test('a service gets a token of its own, asks about it and ends it, as its page prints it', async t => {
  t.match(await follow(t, shellOf('docs/services.md')), /^\{"active":true,"scope":"invoices:read introspect".*\}\{"active":false\}$/)
})

t.test('an account is confirmed, reset, changed and deleted by the links in its mail, as its page prints it', async t => {
  const stdout = await follow(t, shellOf('docs/accounts.md').replaceAll(/^(json .*) # (20\d)\b.*$/gm, '$1 -o /dev/null -w "\\n%{http_code} $2\\n"'))
  t.strictSame(stdout.split('\n').filter(line => /^\d{3} \d{3}$/.test(line)), ['204 204', '202 202', '204 204', '202 202', '204 204', '204 204'], 'each answer is the one it says')
  t.match(stdout, /"code":"token_used"/)
})

t.test('the calls of a page, as their page prints them, sign up and in, refresh by the cookie and sign out', async t => {
  const block = /^```js\n([\s\S]*?)^```/m.exec(readFileSync('docs/spa.md', 'utf8'))![1]!
  const node = await startProcess(t, await freshDatabase(t))
  const statuses: number[] = []
  const jar = new Map<string, string>()
  const browser = async (url: string, init: { headers: Record<string, string> }) => {
    const answer = await fetch(url.replace('https://auth.example.com', node.url), { ...init, headers: { ...init.headers, 'sec-fetch-site': 'same-origin', cookie: [...jar].map(pair => pair.join('=')).join('; ') } })
    for (const [, name, value] of answer.headers.getSetCookie().map(cookie => /^([^=]+)=([^;]*)/.exec(cookie)!)) jar.set(name!, value!)
    statuses.push(answer.status)
    return answer
  }
  const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor as new (...args: string[]) => (...args: unknown[]) => Promise<{ access_token: string }>
  const { access_token: token } = await new AsyncFunction('fetch', 'email', 'password', `${block}\nreturn { access_token, expires_in, user }`)(browser, 'joan@example.com', 'a long enough pass phrase')
  t.strictSame(statuses, [201, 200, 200, 204])
  t.equal(token.split('.').length, 3)
  t.equal(jar.get('__Host-rt'), '', 'the cookie is gone')
})
